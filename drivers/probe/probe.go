// Package probe looks whether an endpoint of the registry answers, over TCP or
// HTTP. It owns what such a look may do on the network; when it is due, and what
// follows from it, the service actor decides.
package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

// Limits of one look.
const (
	Timeout    = 3 * time.Second
	maxBody    = 4 << 10 // bytes of an answer that are read before the connection is closed
	maxHeaders = 32
)

// Kinds of checks.
const (
	TCP  = "TCP"
	HTTP = "HTTP"
	None = "NONE"
)

// Prober looks at endpoints. Its connections are made anew each time: a kept one
// would say nothing about whether the endpoint takes new ones.
type Prober struct {
	dial   drivers.Dial
	client http.Client
}

// New makes a prober. With guests, it looks at those of this node from within their
// network; nil: it looks at everything from outside.
func New(guests drivers.GuestDialer) *Prober {
	outside := &net.Dialer{Timeout: Timeout, KeepAlive: -1, Control: allowed}
	p := &Prober{dial: drivers.GuestsFirst(guests, Timeout, outside.DialContext)}
	p.client = http.Client{
		Timeout: Timeout,
		Transport: &http.Transport{
			DialContext: p.dial, DisableKeepAlives: true, DisableCompression: true,
			MaxResponseHeaderBytes: maxBody, Proxy: nil,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return p
}

var errForbidden = errors.New("addresses of that kind are not looked at")

// allowed keeps a registered address from being used to reach what only this
// machine can: metadata services, and everything else that is link-local.
func allowed(_, address string, _ syscall.RawConn) error {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := a.Addr().Unmap()
	if ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return errForbidden
	}
	return nil
}

// Probe is nil if the endpoint answers as its check wants. An error says why not;
// it wraps Unavailable, or Invalid if the check itself is at fault. The check names the
// port.
func (p *Prober) Probe(ctx context.Context, key *messages.EndpointKey, check *messages.HealthCheck) error {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	address := net.JoinHostPort(key.GetIp(), strconv.Itoa(int(check.GetPort())))
	switch strings.ToUpper(check.GetType()) {
	case TCP, "":
		return p.tcp(ctx, address)
	case HTTP:
		return p.http(ctx, address, check)
	}
	return fmt.Errorf("checks of type %.40q are not made here: %w", check.GetType(), messages.Invalid)
}

func (p *Prober) tcp(ctx context.Context, address string) error {
	c, err := p.dial(ctx, "tcp", address)
	if err != nil {
		return unanswered(err)
	}
	_ = c.Close() // it was only to see whether somebody listens
	return nil
}

func (p *Prober) http(ctx context.Context, address string, check *messages.HealthCheck) error {
	r, err := request(ctx, address, check)
	if err != nil {
		return err
	}
	got, err := p.client.Do(r)
	if err != nil {
		return unanswered(err)
	}
	defer func() { _ = got.Body.Close() }()        // nothing is to be written to it
	_, _ = io.CopyN(io.Discard, got.Body, maxBody) // only the status counts
	expected := check.GetExpectedCodes()
	if len(expected) == 0 {
		expected = []int32{http.StatusOK}
	}
	if !slices.Contains(expected, int32(got.StatusCode)) {
		return fmt.Errorf("it answered %d: %w", got.StatusCode, messages.Unavailable)
	}
	return nil
}

// request makes the request of a check. Its path cannot lead to another host.
func request(ctx context.Context, address string, check *messages.HealthCheck) (*http.Request, error) {
	path, query, _ := strings.Cut(check.GetPath(), "?")
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	u := url.URL{Scheme: "http", Host: address, Path: path, RawQuery: query}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("path %.80q: %w", check.GetPath(), messages.Invalid)
	}
	r.Header.Set("User-Agent", "troupe-health-check")
	for i, line := range strings.Split(check.GetHeaders(), "|") {
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" || i >= maxHeaders {
			continue
		}
		if value = strings.TrimSpace(value); strings.EqualFold(name, "Host") {
			r.Host = value
			continue
		}
		r.Header.Set(name, value)
	}
	return r, nil
}

func unanswered(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err // without addresses, which whoever reads it knows
	}
	return fmt.Errorf("%w: %w", err, messages.Unavailable)
}
