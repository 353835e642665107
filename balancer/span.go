package balancer

import (
	"context"
	"sync"
	"time"
)

// span is the context of one try: its caller's, which ends earlier if the server does
// not answer in time. It is part of the try, and whoever wants to hear of its end is
// kept without a map: context.WithCancel and a transport that derives from it take
// longer than all the rest of a balanced request.
type span struct {
	caller context.Context
	unhear func() bool // of the caller's end; nil: he has none

	mu   sync.Mutex
	err  error
	done chan struct{} // nil: nobody has asked for it
	told *listener     // the last who wants to hear of the end
	own  listener      // room for the first: there is seldom another
}

// listener is one who wants to hear of a span's end.
type listener struct {
	next *listener
	f    func()
}

var _ context.Context = (*span)(nil)

// begin has s end when its caller's context does.
func (s *span) begin(caller context.Context) {
	s.caller = caller
	if caller.Done() != nil {
		s.unhear = context.AfterFunc(caller, func() { s.finish(caller.Err()) })
	}
}

// end has s end by itself; only the first end counts.
func (s *span) end(err error) {
	if s.unhear != nil {
		s.unhear()
	}
	s.finish(err)
}

func (s *span) finish(err error) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	told := s.told
	s.err, s.told = err, nil
	if s.done != nil {
		close(s.done)
	}
	s.mu.Unlock()
	for ; told != nil; told = told.next {
		go told.f()
	}
}

// Deadline implements context.Context.
func (s *span) Deadline() (time.Time, bool) { return s.caller.Deadline() }

// Value implements context.Context.
func (s *span) Value(key any) any { return s.caller.Value(key) }

// Err implements context.Context.
func (s *span) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// ended is the channel of spans that have ended before anybody asked.
var ended = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// Done implements context.Context.
func (s *span) Done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done == nil {
		if s.err != nil {
			return ended
		}
		s.done = make(chan struct{})
	}
	return s.done
}

// AfterFunc has f called in its own goroutine once s has ended, unless it is stopped
// before. Contexts that are derived from s use it: see context.AfterFunc.
func (s *span) AfterFunc(f func()) (stop func() bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		go f()
		return func() bool { return false }
	}
	l := &s.own
	if l.f != nil {
		l = &listener{}
	}
	l.next, l.f = s.told, f
	s.told = l
	return func() bool { return s.forget(l) }
}

// forget says whether l was still to be told.
func (s *span) forget(l *listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at := &s.told; *at != nil; at = &(*at).next {
		if *at == l {
			*at = l.next
			return true
		}
	}
	return false
}
