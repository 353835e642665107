package balancer

import (
	"net/http"
	"time"
)

// Defaults and limits of a Transport.
const (
	DefaultAnswerTime = 5 * time.Second // Ribbon's ReadTimeout
	maxKeptBody       = 64 << 10        // bytes of a body that are kept to be sent again
	maxDrained        = 4 << 10         // bytes of an answer that nobody wants, read to keep its connection
)

// Interceptor sees a request on its way to a server, and what came back, and may
// change both. It calls next, or answers itself.
type Interceptor func(r *http.Request, s *Server, next func(*http.Request) (*http.Response, error)) (*http.Response, error)

// Transport is a http.RoundTripper for URLs whose host is the name of a service:
// http://service-a/path. What is no service goes as it is. Safe for concurrent use.
type Transport struct {
	Services *Services
	// Balancer is where every request goes, whatever the host of its URL; nil: to the
	// service of that name.
	Balancer *Balancer
	// Base makes the requests; nil: a http.Transport of Services', by NewBase, for
	// those to services, and http.DefaultTransport for others.
	Base http.RoundTripper

	Retry Retry
	// Statuses that count as failed, and after which another server is tried. Nil:
	// DefaultStatuses.
	Statuses []int
	// AnswerTime is how long one server has until its answer begins, without the time
	// in which it waits for the request's body; 0: DefaultAnswerTime, negative: as long
	// as the request's context allows.
	AnswerTime time.Duration
	// Hedge asks a second server when the first is slow, and takes who answers first.
	// Only for requests that may be made twice.
	Hedge Hedge

	// Key gives what requests that should meet the same server have in common, for
	// rules that hash; nil: nothing.
	Key          func(*http.Request) uint64
	Interceptors []Interceptor
	// KeepHost leaves the Host header as the caller has set it, or the service's name.
	KeepHost bool
}

// DefaultStatuses are those of a server that could not, rather than of a request
// that was wrong.
var DefaultStatuses = []int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}

// base makes requests to services.
func (t *Transport) base() http.RoundTripper {
	switch {
	case t.Base != nil:
		return t.Base
	case t.Services != nil:
		return t.Services.transport()
	}
	return http.DefaultTransport
}

// outside makes the requests that are to no service.
func (t *Transport) outside() http.RoundTripper {
	if t.Base != nil {
		return t.Base
	}
	return http.DefaultTransport
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	b := t.Balancer
	if b == nil {
		var err error
		if b, err = t.Services.lookup(r.Context(), r.URL.Hostname()); err != nil {
			closeBody(r)
			return nil, err
		}
		if b == nil {
			return t.outside().RoundTrip(r)
		}
	}
	x, err := t.exchange(r, b)
	if err == nil {
		err = x.attempts.first()
	}
	if err != nil {
		closeBody(r)
		return nil, err
	}
	if x.safe && t.Hedge.Quantile > 0 && !hasBody(r) {
		return x.hedged()
	}
	resp, err := x.run(&x.attempts)
	if err != nil {
		closeBody(x.r)
	}
	return resp, err
}

func hasBody(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody }

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close() // it is not sent any more
	}
}

func (t *Transport) send(r *http.Request, s *Server) (*http.Response, error) {
	if len(t.Interceptors) == 0 {
		return t.base().RoundTrip(r)
	}
	return t.through(t.Interceptors, r, s)
}

func (t *Transport) through(rest []Interceptor, r *http.Request, s *Server) (*http.Response, error) {
	if len(rest) == 0 {
		return t.base().RoundTrip(r)
	}
	return rest[0](r, s, func(r *http.Request) (*http.Response, error) { return t.through(rest[1:], r, s) })
}

// Client is a http.Client whose requests to services are balanced.
func (s *Services) Client() *http.Client { return &http.Client{Transport: &Transport{Services: s}} }
