package balancer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"time"
)

// Defaults and limits of a Transport.
const (
	DefaultAnswerTime = 5 * time.Second // Ribbon's ReadTimeout
	maxKeptBody       = 64 << 10        // bytes of a body that are kept to be sent again
)

// Interceptor sees a request on its way to a server, and what came back, and may
// change both. It calls next, or answers itself.
type Interceptor func(r *http.Request, s *Server, next func(*http.Request) (*http.Response, error)) (*http.Response, error)

// Transport is a http.RoundTripper for URLs whose host is the name of a service:
// http://service-a/path. What is no service goes as it is. Safe for concurrent use.
type Transport struct {
	Services *Services
	Base     http.RoundTripper // nil: http.DefaultTransport

	Retry Retry
	// Statuses that count as failed, and after which another server is tried. Nil:
	// DefaultStatuses.
	Statuses []int
	// AnswerTime is how long one server has until its answer begins; 0:
	// DefaultAnswerTime, negative: as long as the request's context allows.
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

func (t *Transport) base() http.RoundTripper {
	if t.Base != nil {
		return t.Base
	}
	return http.DefaultTransport
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	b, err := t.Services.lookup(r.Context(), r.URL.Hostname())
	if err != nil {
		closeBody(r)
		return nil, err
	}
	if b == nil {
		return t.base().RoundTrip(r)
	}
	x, err := t.exchange(r, b)
	if err != nil {
		closeBody(r)
		return nil, err
	}
	if err := x.attempts.first(); err != nil {
		closeBody(r)
		return nil, err
	}
	if x.safe && t.Hedge.Quantile > 0 && r.Body == nil {
		return x.hedged()
	}
	return x.run(&x.attempts)
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close() // it was not sent
	}
}

// exchange is one request of the caller's.
type exchange struct {
	t        *Transport
	b        *Balancer
	r        *http.Request
	attempts attempts
	safe     bool // may be made twice
	again    bool // its body can be sent again
	body     func() (io.ReadCloser, error)
}

func (t *Transport) exchange(r *http.Request, b *Balancer) (*exchange, error) {
	x := &exchange{t: t, b: b, r: r, safe: idempotent(r)}
	q := Request{}
	if t.Key != nil {
		q.Key = t.Key(r)
	}
	x.attempts = b.attempts(&t.Retry, q)
	switch {
	case r.Body == nil || r.Body == http.NoBody:
		x.again = true
	case r.GetBody != nil:
		x.again, x.body = true, r.GetBody
	case r.ContentLength > 0 && r.ContentLength <= maxKeptBody:
		kept, err := io.ReadAll(io.LimitReader(r.Body, r.ContentLength))
		if err != nil {
			return nil, err
		}
		_ = r.Body.Close() // all of it was read
		x.again, x.body = true, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(kept)), nil }
		x.r = shallow(r)
		x.r.Body, _ = x.body()
	}
	return x, nil
}

// idempotent says whether r may be made twice. Source: RFC 9110, section 9.2.2, and
// the header that clients mark others with.
func idempotent(r *http.Request) bool {
	switch r.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return r.Header.Get("Idempotency-Key") != ""
}

func shallow(r *http.Request) *http.Request { return r.WithContext(r.Context()) }

// run makes the request, first to the server that a has chosen, until it is
// answered, or may not be made again.
func (x *exchange) run(a *attempts) (*http.Response, error) {
	for first := true; ; first = false {
		resp, err := x.try(a, first)
		failure := err
		if err == nil && x.t.bad(resp.StatusCode) {
			failure = Bad(fmt.Errorf("it answered %s", resp.Status))
		}
		if failure == nil || !x.again || !a.again(x.r.Context(), failure, x.safe) {
			return resp, err
		}
		if resp != nil {
			_ = resp.Body.Close() // another server is asked
		}
	}
}

func (t *Transport) bad(status int) bool {
	if t.Statuses == nil {
		return slices.Contains(DefaultStatuses, status)
	}
	return slices.Contains(t.Statuses, status)
}

// try makes the request once.
func (x *exchange) try(a *attempts, first bool) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(x.r.Context())
	r := x.r.WithContext(ctx)
	if !first && x.body != nil {
		body, err := x.body()
		if err != nil {
			cancel(nil)
			return nil, err
		}
		r.Body = body
	}
	x.address(r, a.server)
	limit := x.t.AnswerTime
	if limit == 0 {
		limit = DefaultAnswerTime
	}
	var timer *time.Timer
	if limit > 0 {
		timer = time.AfterFunc(limit, func() { cancel(errSlow) })
	}
	under := x.b.Begin(a.server)
	resp, err := x.t.send(r, a.server)
	if timer != nil {
		timer.Stop()
	}
	if err != nil {
		if errors.Is(context.Cause(ctx), errSlow) {
			err = fmt.Errorf("%s: %w", a.server.Address(), errSlow)
		}
		cancel(nil)
		result := ResultOf(err)
		if result == OK {
			result = Unreachable // no answer, for whatever reason
		}
		if x.r.Context().Err() != nil {
			result = Abandoned
		}
		under.End(result)
		return nil, err
	}
	result := OK
	if x.t.bad(resp.StatusCode) {
		result = Failed
	}
	resp.Body = &body{ReadCloser: resp.Body, call: under, result: result, took: under.b.now() - under.began, cancel: cancel}
	resp.Request = x.r
	return resp, nil
}

// errSlow: a server did not begin to answer in time.
var errSlow = fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)

// address makes r one to that server.
func (x *exchange) address(r *http.Request, s *Server) {
	u := *x.r.URL
	u.Host = s.Address()
	if s.Scheme != "" {
		u.Scheme = s.Scheme
	}
	r.URL = &u
	if !x.t.KeepHost {
		r.Host = ""
	} else if r.Host == "" {
		r.Host = x.r.URL.Host
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

// body ends the call when the answer has been read, or is closed.
type body struct {
	io.ReadCloser
	call   Call
	result Result
	took   int64
	cancel context.CancelCauseFunc
	ended  atomic.Bool
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		b.end(b.result)
	default:
		b.end(ResultOf(err))
	}
	return n, err
}

// Write is for connections that were upgraded.
func (b *body) Write(p []byte) (int, error) {
	if w, ok := b.ReadCloser.(io.Writer); ok {
		return w.Write(p)
	}
	return 0, errors.ErrUnsupported
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.end(b.result)
	return err
}

func (b *body) end(r Result) {
	if !b.ended.Swap(true) {
		b.call.end(r, b.took)
		b.cancel(nil)
	}
}

// Client is a http.Client whose requests to services are balanced.
func (s *Services) Client() *http.Client { return &http.Client{Transport: &Transport{Services: s}} }
