package balancer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// try is a request on its way to one server, and the body of its answer. Much is in
// one piece here, for it is made for every request.
type try struct {
	io.ReadCloser // of the answer
	call          Call
	url           url.URL
	span          span
	place         place         // among those that have to be answered in time
	limit         time.Duration // negative: as long as it takes
	state         atomic.Int32
	result        Result
	took          int64
	whole         bool // an end of what is read is the end of all
	ended         atomic.Bool
	sent          *outgoing // nil: there is no body to send
}

// States of a try.
const (
	asking int32 = iota
	answered
	tooSlow
)

// errSlow: a server did not begin to answer in time.
var errSlow = fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)

// errCaller: the body of the request could not be read, which is not the server's fault.
var errCaller = errors.New("the request's body cannot be read")

// CallersFault says whether err is of a request's own body, and not of a server.
func CallersFault(err error) bool { return errors.Is(err, errCaller) }

// try makes the request once. Unsent says that nothing of its body was read.
func (x *exchange) try(a *attempts, first bool) (resp *http.Response, unsent bool, err error) {
	t := x.room()
	t.limit = x.t.AnswerTime
	t.span.begin(x.r.Context())
	r := x.r.WithContext(&t.span)
	if t.limit == 0 {
		t.limit = DefaultAnswerTime
	}
	if err := x.rewind(r, t, first); err != nil {
		t.span.end(context.Canceled)
		return nil, false, err
	}
	x.address(r, t, a.server)
	t.call = x.b.Begin(a.server)
	if t.limit > 0 {
		x.b.deadlines.enter(t, x.b.real(t.call.began))
	}
	resp, err = x.t.send(r, a.server)
	slow := !t.state.CompareAndSwap(asking, answered)
	if t.limit > 0 {
		x.b.deadlines.leave(t)
	}
	if err == nil && slow { // too late: what it would be read by has ended
		_ = resp.Body.Close()
		resp, err = nil, errSlow
	}
	if err != nil {
		if unsent = t.sent != nil && t.sent.recall(); t.sent != nil && t.sent.failed.Load() != nil {
			err = fmt.Errorf("%w: %w", errCaller, *t.sent.failed.Load())
		} else if slow {
			err = fmt.Errorf("%s: %w", a.server.Address(), errSlow)
		}
		t.span.end(context.Canceled)
		t.call.End(x.result(err, &t.call))
		return nil, unsent, err
	}
	if t.sent != nil {
		t.sent.keepClosed()
	}
	if x.t.bad(resp.StatusCode) {
		t.result = Failed
	}
	t.took, t.whole = x.b.now()-t.call.began, resp.StatusCode != http.StatusSwitchingProtocols
	t.ReadCloser, resp.Body = resp.Body, t
	resp.Request = x.r
	return resp, false, nil
}

// room is where a try is kept: the first one beside what is known of its request.
func (x *exchange) room() *try {
	if !x.tried {
		x.tried = true
		return &x.once
	}
	return &try{}
}

// rewind gives r a body that is unread.
func (x *exchange) rewind(r *http.Request, t *try, first bool) error {
	if !first && x.body != nil {
		body, err := x.body()
		if err != nil {
			return err
		}
		r.Body = body
	}
	if hasBody(r) {
		t.sent = &outgoing{ReadCloser: r.Body, try: t}
		r.Body = t.sent
	}
	return nil
}

// address makes r one to that server.
func (x *exchange) address(r *http.Request, t *try, s *Server) {
	t.url = *x.r.URL
	t.url.Host = s.address
	if s.Scheme != "" {
		t.url.Scheme = s.Scheme
	}
	r.URL = &t.url
	if !x.t.KeepHost {
		r.Host = ""
	} else if r.Host == "" {
		r.Host = x.r.URL.Host
	}
}

// expire is called when the server's time is over.
func (t *try) expire() {
	if t.state.CompareAndSwap(asking, tooSlow) {
		t.span.end(context.DeadlineExceeded)
	}
}

// Read reads the answer. The call ends with it.
func (t *try) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	switch {
	case err == nil || !t.whole:
	case errors.Is(err, io.EOF):
		t.end(t.result)
	default:
		t.end(ResultOf(err))
	}
	return n, err
}

// Write is for connections that were upgraded.
func (t *try) Write(p []byte) (int, error) {
	if w, ok := t.ReadCloser.(io.Writer); ok {
		return w.Write(p)
	}
	return 0, errors.ErrUnsupported
}

// Close ends the call, if reading has not.
func (t *try) Close() error {
	err := t.ReadCloser.Close()
	t.end(t.result)
	return err
}

func (t *try) end(r Result) {
	if !t.ended.Swap(true) {
		t.call.end(r, t.took, t.call.b.now())
		t.span.end(context.Canceled)
	}
}

// outgoing is the body of a request on its way. While the caller is waited for, the
// server's time stands still.
type outgoing struct {
	io.ReadCloser
	try    *try
	state  atomic.Int32
	closed atomic.Bool
	failed atomic.Pointer[error] // the caller did not send what he has announced
}

// States of an outgoing body.
const (
	unread int32 = iota
	begun
	recalled
)

// Read is called by whoever sends it, also after it was given up.
func (o *outgoing) Read(p []byte) (int, error) {
	if !o.state.CompareAndSwap(unread, begun) && o.state.Load() == recalled {
		return 0, errors.New("it is sent to somebody else")
	}
	timed := o.try.limit > 0 && o.try.state.Load() == asking
	if timed {
		o.try.call.b.deadlines.leave(o.try)
	}
	n, err := o.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		o.failed.Store(&err)
	}
	if timed {
		o.try.call.b.deadlines.enter(o.try, o.try.call.b.deadlines.now())
	}
	return n, err
}

// Close leaves a body open that nobody has read: it may be sent to another server.
func (o *outgoing) Close() error {
	o.closed.Store(true)
	if o.state.Load() == begun {
		return o.ReadCloser.Close()
	}
	return nil
}

// recall takes the body back, if nothing of it was read.
func (o *outgoing) recall() bool { return o.state.CompareAndSwap(unread, recalled) }

// keepClosed closes what was left open: there is an answer.
func (o *outgoing) keepClosed() {
	if o.state.CompareAndSwap(unread, begun) && o.closed.Load() {
		_ = o.ReadCloser.Close() // it was not wanted
	}
}
