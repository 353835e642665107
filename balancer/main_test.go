package balancer

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain is also the server that the tests with real processes start.
func TestMain(m *testing.M) {
	if os.Getenv(serverVariable) != "" {
		serveProcess()
		return
	}
	goleak.VerifyTestMain(m)
}
