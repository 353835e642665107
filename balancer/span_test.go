package balancer

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestSpan: who derives from a try's context hears of its end, whoever has ended it,
// and nobody is told who does not want to be any more.
func TestSpan(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(s *span, caller context.CancelCauseFunc)
		want error
	}{
		"the server is too slow": {func(s *span, _ context.CancelCauseFunc) { s.end(context.DeadlineExceeded) }, context.DeadlineExceeded},
		"the caller gives up":    {func(_ *span, caller context.CancelCauseFunc) { caller(errSlow) }, context.Canceled},
		"the answer was read":    {func(s *span, _ context.CancelCauseFunc) { s.end(context.Canceled) }, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				type key struct{}
				caller, giveUp := context.WithCancelCause(context.WithValue(t.Context(), key{}, "kept"))
				defer giveUp(nil)
				var s span
				s.begin(caller)
				derived, cancel := context.WithCancel(&s)
				defer cancel()
				gone, leave := context.WithCancel(&s)
				leave()
				told := 0
				context.AfterFunc(&s, func() { told++ })
				if stop := context.AfterFunc(&s, func() { t.Error("told after it was stopped") }); !stop() || stop() {
					t.Error("it was not stopped once")
				}
				if derived.Err() != nil || s.Err() != nil || derived.Value(key{}) != "kept" {
					t.Fatalf("%v, %v, %v before the end", derived.Err(), s.Err(), derived.Value(key{}))
				}
				c.end(&s, giveUp)
				<-derived.Done()
				<-s.Done()
				s.end(errors.New("a second end counts for nothing"))
				synctest.Wait()
				if told != 1 || !errors.Is(derived.Err(), c.want) || !errors.Is(s.Err(), c.want) || !errors.Is(gone.Err(), context.Canceled) {
					t.Errorf("told %d times; %v, %v", told, derived.Err(), s.Err())
				}
				late := make(chan struct{})
				context.AfterFunc(&s, func() { close(late) })
				<-late
			})
		})
	}
}

// TestSpanEndsFirst: a channel that is asked for after the end is closed.
func TestSpanEndsFirst(t *testing.T) {
	var s span
	s.begin(context.Background())
	s.end(context.Canceled)
	<-s.Done()
	derived, cancel := context.WithCancel(&s)
	defer cancel()
	if derived.Err() == nil {
		t.Error("a context is not over that was made of one that is")
	}
}

// TestDeadlines: each call expires when its own time is over, in whatever order they
// came and with whatever limits, but not if it was answered.
func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &deadlines{epoch: time.Now()}
		enter := func(limit time.Duration) *try {
			made := &try{limit: limit}
			made.span.begin(context.Background())
			d.enter(made, d.now())
			return made
		}
		state := func(of ...*try) (states []int32) {
			for _, one := range of {
				states = append(states, one.state.Load())
			}
			return states
		}
		check := func(want []int32, of ...*try) {
			t.Helper()
			synctest.Wait()
			for i, got := range state(of...) {
				if got != want[i] {
					t.Errorf("after %v the %d. is %d, not %d", time.Duration(d.now()), i+1, got, want[i])
				}
			}
		}
		first, short := enter(time.Minute), enter(time.Second)
		time.Sleep(500 * time.Millisecond)
		second, done := enter(time.Second), enter(time.Second)
		done.state.Store(answered)
		d.leave(done)
		d.leave(done) // as often as one likes
		d.enter(done, d.now())
		time.Sleep(501 * time.Millisecond)
		check([]int32{asking, tooSlow, asking, answered}, first, short, second, done)
		time.Sleep(500 * time.Millisecond)
		check([]int32{asking, tooSlow, tooSlow, answered}, first, short, second, done)
		d.leave(first) // its caller is waited for
		time.Sleep(2 * time.Minute)
		d.enter(first, d.now())
		time.Sleep(59 * time.Second)
		check([]int32{asking}, first)
		time.Sleep(time.Second)
		check([]int32{tooSlow}, first)
		if !errors.Is(first.span.Err(), context.DeadlineExceeded) || len(d.lines) != 0 {
			t.Errorf("%v; %d lines are left", first.span.Err(), len(d.lines))
		}
	})
}
