package drivers

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// GuestDialer connects to guests of this node's hypervisors from within their
// networks, which may be closed to this node otherwise.
type GuestDialer interface {
	// DialGuest connects by TCP, bounded by ctx. NotFound: no guest here has that
	// address. Other errors are those of the net package.
	DialGuest(ctx context.Context, to netip.AddrPort) (net.Conn, error)
}

// Dial is the form of net.Dialer's DialContext.
type Dial = func(ctx context.Context, network, address string) (net.Conn, error)

// GuestsFirst dials guests of this node by g, within a time, and everything else by
// other. With no g it is other.
func GuestsFirst(g GuestDialer, within time.Duration, other Dial) Dial {
	if g == nil {
		return other
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		to, err := netip.ParseAddrPort(address)
		if err != nil { // a name
			return other(ctx, network, address)
		}
		inTime, cancel := context.WithTimeout(ctx, within)
		defer cancel()
		c, err := g.DialGuest(inTime, netip.AddrPortFrom(to.Addr().Unmap(), to.Port()))
		if errors.Is(err, messages.NotFound) {
			return other(ctx, network, address)
		}
		return c, err
	}
}
