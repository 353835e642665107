package balancer

import (
	"testing"

	"github.com/troupe-cloud/troupe/balancer/balancertest"
	"github.com/troupe-cloud/troupe/messages/leaktest"
)

// TestMain is also the server that the tests with real processes start.
func TestMain(m *testing.M) {
	balancertest.Serve()
	leaktest.Main(m)
}
