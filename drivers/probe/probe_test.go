package probe_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/drivers/probe"
	"github.com/troupe-cloud/troupe/messages"
)

func target(t *testing.T, address string, check *messages.HealthCheck) *messages.EndpointKey {
	t.Helper()
	a, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	check.Port = int32(a.Port)
	return &messages.EndpointKey{Ip: a.IP.String(), Port: int32(a.Port)}
}

// gone is a loopback address that nobody listens on.
func gone(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestProbe(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/ok" && r.URL.RawQuery == "deep=1" && r.Header.Get("X-Key") == "k" && r.Host == "example":
		case r.URL.Path == "/ok":
			w.WriteHeader(http.StatusTeapot)
		case r.URL.Path == "/moved":
			http.Redirect(w, r, "/ok?deep=1", http.StatusFound)
		default:
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer s.Close()
	up, down := s.Listener.Addr().String(), gone(t)
	headers := "X-Key: k|Host:example|broken"
	for _, c := range []struct {
		name    string
		address string
		check   *messages.HealthCheck
		kind    error
		says    string
	}{
		{"tcp", up, &messages.HealthCheck{Type: "TCP"}, nil, ""},
		{"no type is tcp", up, &messages.HealthCheck{}, nil, ""},
		{"tcp refused", down, &messages.HealthCheck{Type: "TCP"}, messages.Unavailable, "refused"},
		{"http", up, &messages.HealthCheck{Type: "HTTP", Path: "/ok?deep=1", Headers: headers}, nil, ""},
		{"http without its headers", up, &messages.HealthCheck{Type: "HTTP", Path: "/ok?deep=1"}, messages.Unavailable, "it answered 418"},
		{"http with that code expected", up, &messages.HealthCheck{Type: "http", Path: "ok", ExpectedCodes: []int32{200, 418}}, nil, ""},
		{"redirects are not followed", up, &messages.HealthCheck{Type: "HTTP", Path: "/moved", Headers: headers}, messages.Unavailable, "it answered 302"},
		{"a path is no host", up, &messages.HealthCheck{Type: "HTTP", Path: "//other.example/ok"}, messages.Unavailable, "it answered 500"},
		{"http refused", down, &messages.HealthCheck{Type: "HTTP", Path: "/"}, messages.Unavailable, "refused"},
		{"metadata service", "169.254.169.254:80", &messages.HealthCheck{Type: "HTTP", Path: "/"}, messages.Unavailable, "not looked at"},
		{"link-local", "[fe80::1]:80", &messages.HealthCheck{Type: "TCP"}, messages.Unavailable, "not looked at"},
		{"every address", "0.0.0.0:80", &messages.HealthCheck{Type: "TCP"}, messages.Unavailable, "not looked at"},
		{"unknown type", up, &messages.HealthCheck{Type: "MYSQL"}, messages.Invalid, "MYSQL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := probe.New(nil).Probe(t.Context(), target(t, c.address, c.check), c.check)
			if c.kind == nil && err != nil || c.kind != nil && (!errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("got %v, want %v, %q", err, c.kind, c.says)
			}
		})
	}
}

// inside has the guests behind one address, which nobody else reaches.
type inside struct{ guest, at string }

func (g inside) DialGuest(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	if to.String() != g.guest {
		return nil, messages.NotFound
	}
	return new(net.Dialer).DialContext(ctx, "tcp", g.at)
}

// TestProbeGuests: guests are looked at from within, and everything else as ever.
func TestProbeGuests(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	p := probe.New(inside{"192.0.2.1:80", s.Listener.Addr().String()})
	for _, c := range []struct {
		name, address, says string
		check               *messages.HealthCheck
	}{
		{"a guest", "192.0.2.1:80", "", &messages.HealthCheck{Type: "TCP"}},
		{"a guest, by HTTP", "192.0.2.1:80", "it answered 404", &messages.HealthCheck{Type: "HTTP", Path: "/"}},
		{"nobody's", gone(t), "refused", &messages.HealthCheck{Type: "TCP"}},
		{"metadata service", "169.254.169.254:80", "not looked at", &messages.HealthCheck{Type: "TCP"}},
	} {
		err := p.Probe(t.Context(), target(t, c.address, c.check), c.check)
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
}
