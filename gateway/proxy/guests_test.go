package proxy

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"testing"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/messages"
)

// inside has one guest, which really is somewhere else.
type inside struct{ guest, at string }

// DialGuest is drivers.GuestDialer's.
func (g inside) DialGuest(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	if to.String() != g.guest {
		return nil, fmt.Errorf("%v is no guest's: %w", to, messages.NotFound)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", g.at)
}

// announce has a server of the cloud say that it serves under a name.
func (w *world) announce(t *testing.T, name, instance, address string) {
	t.Helper()
	at := netip.MustParseAddrPort(address)
	_, err := w.client.Ask(t.Context(), service.Ref("public", "DEFAULT_GROUP", name), &messages.AnnounceEndpoint{
		InstanceId: instance, ProjectId: "p", Seq: 1,
		Endpoints: []*messages.Endpoint{{Ip: at.Addr().String(), Port: int32(at.Port()), Cluster: "DEFAULT", Weight: 1, Enabled: true}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestGuests: what a server of the cloud has announced is called from within its
// network, and only that: not an address of a guest that somebody else has registered,
// also when there is a connection to it already.
func TestGuests(t *testing.T) {
	const guest = "127.0.0.9:80" // nobody is let there from outside
	b := backend(t)
	w := startWith(t, inside{guest, b.address()})
	w.announce(t, "web", "i-1", guest)
	w.announce(t, "lost", "i-2", "127.0.0.10:80")
	w.register(t, "other", nil, guest)
	for _, c := range []struct {
		what, path string
		status     int
	}{
		{"a guest", web + "/a", http.StatusOK},
		{"the same, over the connection that there is", web + "/b", http.StatusOK},
		{"a guest's address, registered by somebody else", "/proxy/public/DEFAULT_GROUP/other/c", http.StatusBadGateway},
		{"a server that is no guest of this node", "/proxy/public/DEFAULT_GROUP/lost/d", http.StatusBadGateway},
	} {
		if resp, body := w.get(t, http.MethodGet, c.path, nil); resp.StatusCode != c.status {
			t.Errorf("%s: %d %s", c.what, resp.StatusCode, body)
		}
	}
	if _, n := b.last(); n != 2 {
		t.Errorf("the guest was asked %d times", n)
	}
}
