package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/troupe-cloud/troupe/balancer"
	"github.com/troupe-cloud/troupe/drivers"
)

// Times and limits of connections to endpoints.
const (
	connectTime = 2 * time.Second
	stallTime   = 60 * time.Second // for an endpoint to take one piece
	silentTime  = 5 * time.Minute  // for it to say anything, once it has begun to answer
	keptConns   = 64               // idle ones to each endpoint
)

// errForbidden: an address that requests are not sent to.
var errForbidden = errors.New("this address may not be reached")

// guard says which addresses may be reached. Whoever can register an endpoint can
// have requests sent from here, also to what listens only for this machine.
type guard struct{ allow []netip.Prefix }

// private are addresses that belong to this machine, its link or its provider.
var private = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),          // this network
	netip.MustParsePrefix("127.0.0.0/8"),        // loopback
	netip.MustParsePrefix("169.254.0.0/16"),     // link-local, and where clouds have their metadata
	netip.MustParsePrefix("100.100.100.200/32"), // metadata of Alibaba's cloud
	netip.MustParsePrefix("192.0.0.0/24"),       // of protocols; metadata of Oracle's cloud
	netip.MustParsePrefix("224.0.0.0/3"),        // multicast, reserved and broadcast
	netip.MustParsePrefix("::/128"),
	netip.MustParsePrefix("::1/128"),
	netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("fec0::/10"), // site-local, as it once was
	netip.MustParsePrefix("ff00::/8"),
	netip.MustParsePrefix("fd00:ec2::/32"), // metadata of Amazon's cloud
	netip.MustParsePrefix("2001::/32"),     // Teredo: an IPv4 address is hidden in it
}

// carriers are prefixes with an IPv4 address in them, from the byte on that is named.
var carriers = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("::/96"), 12},        // IPv4-compatible
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, // NAT64
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12},
	{netip.MustParsePrefix("2002::/16"), 2}, // 6to4
}

// check refuses addresses, real ones, right before a connection is made.
func (g guard) check(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%s: %w", address, errForbidden)
	}
	a := at.Addr().WithZone("").Unmap()
	in := func(p netip.Prefix) bool { return p.Contains(a) }
	if slices.ContainsFunc(g.allow, in) {
		return nil
	}
	if slices.ContainsFunc(private, in) {
		return fmt.Errorf("%v: %w", a, errForbidden)
	}
	for _, c := range carriers {
		if c.prefix.Contains(a) {
			raw := a.As16()
			inner := netip.AddrFrom4([4]byte(raw[c.at : c.at+4]))
			return g.check(netip.AddrPortFrom(inner, at.Port()).String())
		}
	}
	return nil
}

func (g guard) control(network, address string, _ syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return errForbidden
	}
	return g.check(address)
}

// bases make the requests: one speaks HTTP/1.1 (and TLS, where an endpoint says so),
// the other one HTTP/2 without TLS, for gRPC.
type bases struct{ one, two *http.Transport }

// newBases makes those for what guests announce, if they are given, or for all else.
func newBases(g guard, guests drivers.GuestDialer) *bases {
	d := &net.Dialer{Timeout: connectTime, KeepAlive: 15 * time.Second, Control: g.control}
	made := func() *http.Transport {
		t := balancer.NewBase()
		t.DialContext = guarded(drivers.GuestsFirst(guests, connectTime, d.DialContext))
		t.DisableCompression, t.MaxIdleConnsPerHost = true, keptConns
		return t
	}
	b := &bases{made(), made()}
	b.one.ForceAttemptHTTP2 = false
	b.two.Protocols = new(http.Protocols)
	b.two.Protocols.SetUnencryptedHTTP2(true)
	b.two.Protocols.SetHTTP2(true)
	return b
}

// RoundTrip implements http.RoundTripper.
func (b *bases) RoundTrip(r *http.Request) (*http.Response, error) {
	if isGRPC(r) {
		return b.two.RoundTrip(r)
	}
	return b.one.RoundTrip(r)
}

func (b *bases) close() {
	b.one.CloseIdleConnections()
	b.two.CloseIdleConnections()
}
