package cloud

import (
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

// The kernel takes the ports of outgoing connections, and of listeners that name none,
// from 32768 on. A port below is still free when a registry that was killed is started
// again.
const (
	firstPort  = 12_000
	lastPort   = 31_000
	grpcOffset = 1000 // of the port of gRPC, from that of HTTP

	portTries = 1000
)

// FreePort is a port of 127.0.0.1 that nobody listens at, nor at that of gRPC above it.
func FreePort(t *testing.T) string {
	t.Helper()
	for range portTries {
		port := firstPort + rand.N(lastPort-firstPort)
		if free(port) && free(port+grpcOffset) {
			return strconv.Itoa(port)
		}
	}
	t.Fatalf("no free port after %d tries", portTries)
	return ""
}

func free(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}
