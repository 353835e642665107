package balancer

import (
	"os"
	"testing"

	"github.com/troupe-cloud/troupe/messages/leaktest"
)

// TestMain is also the server that the tests with real processes start.
func TestMain(m *testing.M) {
	if os.Getenv(serverVariable) != "" {
		serveProcess()
		return
	}
	leaktest.Main(m)
}
