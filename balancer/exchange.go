package balancer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// exchange is one request of the caller's.
type exchange struct {
	t        *Transport
	b        *Balancer
	r        *http.Request
	attempts attempts
	safe     bool // may be made twice
	again    bool // its body can be sent again
	body     func() (io.ReadCloser, error)
	tried    bool
	once     try // the first: most requests are made once
}

func (t *Transport) exchange(r *http.Request, b *Balancer) (*exchange, error) {
	x := &exchange{t: t, b: b, r: r, safe: idempotent(r)}
	q := Request{}
	if t.Key != nil {
		q.Key = t.Key(r)
	}
	x.attempts = b.attempts(&t.Retry, q)
	switch {
	case !hasBody(r):
		x.again = true
	case r.GetBody != nil:
		x.again, x.body = true, r.GetBody
	case (x.safe || t.Retry.All) && r.ContentLength > 0 && r.ContentLength <= maxKeptBody:
		return x, x.keep()
	}
	return x, nil
}

// keep reads the body, which is not long, to have it twice.
func (x *exchange) keep() error {
	kept, err := io.ReadAll(io.LimitReader(x.r.Body, x.r.ContentLength))
	if err == nil && int64(len(kept)) < x.r.ContentLength {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errCaller, err)
	}
	_ = x.r.Body.Close() // all of it was read
	x.again, x.body = true, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(kept)), nil }
	x.r = x.r.WithContext(x.r.Context())
	x.r.Body, _ = x.body()
	return nil
}

// idempotent says whether r may be made twice. Source: RFC 9110, section 9.2.2, and
// the header that clients mark others with.
func idempotent(r *http.Request) bool {
	switch r.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return len(r.Header["Idempotency-Key"]) > 0
}

// run makes the request, first to the server that a has chosen, until it is
// answered, or may not be made again.
func (x *exchange) run(a *attempts) (*http.Response, error) {
	for first := true; ; first = false {
		resp, unsent, err := x.try(a, first)
		failure := err
		if err == nil && x.t.bad(resp.StatusCode) {
			failure = Bad(errStatusOf(resp.StatusCode))
		}
		if failure == nil || !x.again && !unsent || !a.again(x.r.Context(), failure, x.safe || unsent) {
			return resp, err
		}
		if resp != nil {
			drain(resp)
		}
	}
}

// errStatusOf is an answer that is no better than none.
type errStatusOf int

func (e errStatusOf) Error() string { return fmt.Sprintf("it answered %d", int(e)) }

// drain forgets an answer: another server is asked.
func drain(r *http.Response) {
	if 0 <= r.ContentLength && r.ContentLength <= maxDrained {
		_, _ = io.CopyN(io.Discard, r.Body, maxDrained) // as far as it goes
	}
	_ = r.Body.Close()
}

func (t *Transport) bad(status int) bool {
	if status < http.StatusBadRequest && t.Statuses == nil {
		return false
	}
	if t.Statuses == nil {
		return slices.Contains(DefaultStatuses, status)
	}
	return slices.Contains(t.Statuses, status)
}

// A caller whose own time is over says something of a server that has let him wait
// for much longer than it lets others.
const (
	patience      = 250 * time.Millisecond // at least
	patienceTimes = 5                      // of the server's mean response time
)

// result is what the failure of a try says of the server.
func (x *exchange) result(err error, c *Call) Result {
	if own := x.r.Context().Err(); own != nil {
		waited := time.Duration(x.b.now() - c.began)
		if errors.Is(own, context.DeadlineExceeded) && !errors.Is(err, errCaller) && waited >= max(patience, patienceTimes*c.Server.mean()) {
			return Unreachable
		}
		return Abandoned
	}
	if r := ResultOf(err); r != OK && !errors.Is(err, errCaller) {
		return r
	}
	if errors.Is(err, errCaller) {
		return Abandoned
	}
	return Unreachable // no answer, for whatever reason
}
