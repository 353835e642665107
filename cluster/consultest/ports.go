package consultest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// The ports that FreePorts gives. The kernel takes those of outgoing connections, and
// of listeners that name none, from 32768 on: one of these would sooner or later be
// somebody else's local port, for a minute even after its connection has ended, when a
// server that was killed wants it back.
const (
	firstPort = 12_000
	lastPort  = 31_000
)

// FreePorts are n loopback ports that nobody listens on now, for TCP and UDP, and that
// nobody takes by chance while whoever they are for does not run.
func FreePorts(n int) ([]int, error) {
	var ports []int
	for tries := 50 * n; len(ports) < n; tries-- {
		if tries == 0 {
			return nil, fmt.Errorf("%d free ports of %d found", len(ports), n)
		}
		port := firstPort + rand.N(lastPort-firstPort)
		l, u, err := listenBoth(port)
		if err != nil {
			continue
		}
		defer func() { _, _ = l.Close(), u.Close() }() // held until all are found
		ports = append(ports, port)
	}
	return ports, nil
}

func listenBoth(port int) (net.Listener, net.PacketConn, error) {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, nil, err
	}
	u, err := net.ListenPacket("udp", address)
	if err != nil {
		return nil, nil, errors.Join(err, l.Close())
	}
	return l, u, nil
}
