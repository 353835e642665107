package peer_test

import (
	"errors"
	"flag"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/messages"
)

// counted takes calls without answering and says when there is one.
func counted() (*handler, <-chan string) {
	calls := make(chan string, 1<<16)
	return &handler{call: func(_ peer.Identity, e *messages.Envelope, answer func(*messages.Reply)) {
		if string(e.GetPayload()) != "hold" {
			answer(&messages.Reply{Payload: e.GetPayload()})
		}
		calls <- string(e.GetPayload())
	}}, calls
}

// TestBroken: however the network fails, a call that was sent gets ErrBroken
// without a deadline of its own, other peers are not held up, and what comes
// after the failure is answered.
func TestBroken(t *testing.T) {
	w := newWorld(t)
	for name, tt := range map[string]struct{ harm, mend func(p *proxy) }{
		"cut":        {func(p *proxy) { p.cut() }, func(*proxy) {}},
		"stalled":    {func(p *proxy) { p.set(func() { p.stall = true }) }, func(p *proxy) { p.set(func() { p.stall = false }) }},
		"lost forth": {func(p *proxy) { p.set(func() { p.lost[0] = true }) }, func(p *proxy) { p.set(func() { p.lost[0] = false }) }},
		"lost back":  {func(p *proxy) { p.set(func() { p.lost[1] = true }) }, func(p *proxy) { p.set(func() { p.lost[1] = false }) }},
		"half":       {func(p *proxy) { p.halfClose() }, func(*proxy) {}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{t: t, ca: w.ca, ctx: w.ctx}
			h, calls := counted()
			a, b, c := w.node("a", &handler{}), w.node("b", h), w.node("c", &handler{})
			p := newProxy(t, b.Self().Address)
			to := at(b.Self(), p.address())
			held := send(a, to, ask("hold"))
			wait(t, "the call", calls)
			tt.harm(p)
			w.mustEcho(a, c.Self())
			if got := wait(t, "the end", held); !errors.Is(got.err, peer.ErrBroken) || !errors.Is(got.err, messages.Unavailable) || errors.Is(got.err, peer.ErrUnreachable) {
				t.Errorf("got %v", got.err)
			}
			tt.mend(p)
			w.mustEcho(a, to)
		})
	}
}

// TestNobody: connection refused is told apart from silence, and a ping tells
// what is now, not what was.
func TestNobody(t *testing.T) {
	w := newWorld(t)
	a, b := w.node("a", &handler{}), w.lasting("b")
	to := b.Self()
	w.mustEcho(a, to)
	stop(b)
	for range 3 {
		_, err := a.Ping(w.ctx, to, &messages.Ping{})
		if !errors.Is(err, peer.ErrUnreachable) && !errors.Is(err, peer.ErrBroken) {
			t.Fatalf("a ping to nobody: %v", err)
		}
	}
	if _, err := a.Ping(w.ctx, to, &messages.Ping{}); !errors.Is(err, peer.ErrRefused) || !errors.Is(err, peer.ErrUnreachable) {
		t.Errorf("a ping to nobody: %v", err)
	}
	if _, err := a.Call(w.ctx, to, ask("x")); !errors.Is(err, peer.ErrRefused) {
		t.Errorf("a call to nobody: %v", err)
	}
	c := w.config("b", &handler{})
	c.Self.ID, c.Bind = to.ID, to.Address
	w.listen(c)
	if _, err := a.Ping(w.ctx, to, &messages.Ping{}); err != nil {
		t.Errorf("a ping to somebody: %v", err)
	}
}

// TestBlackHole: an address that takes connections and says nothing.
func TestBlackHole(t *testing.T) {
	w := newWorld(t)
	w.silence = 0
	a, b := w.node("a", &handler{}), w.node("b", &handler{})
	p := newProxy(t, b.Self().Address)
	p.set(func() { p.stall = true })
	_, err := a.Call(w.ctx, at(b.Self(), p.address()), ask("x"))
	if !errors.Is(err, peer.ErrUnreachable) || errors.Is(err, peer.ErrRefused) {
		t.Errorf("got %v", err)
	}
}

// TestSlow: neither a slow handler nor a slow line is a dead link.
func TestSlow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.silence = 5 * time.Second
	a := w.node("a", &handler{})
	b := w.node("b", &handler{call: func(_ peer.Identity, e *messages.Envelope, answer func(*messages.Reply)) {
		if string(e.GetPayload()) == "slow" {
			time.AfterFunc(2*w.silence, func() { answer(&messages.Reply{}) })
			return
		}
		answer(&messages.Reply{})
	}})
	p := newProxy(t, b.Self().Address)
	to := at(b.Self(), p.address())
	slow := send(a, to, ask("slow"))
	if got := wait(t, "the slow answer", slow); got.err != nil {
		t.Errorf("a slow handler: %v", got.err)
	}
	p.set(func() { p.delay = w.silence / 300 })
	if got := wait(t, "the answer", send(a, to, ask(string(make([]byte, 5<<20))))); got.err != nil {
		t.Errorf("a slow line: %v", got.err)
	}
}

// TestStopped: a peer that reads nothing costs no more than the limits say.
func TestStopped(t *testing.T) {
	w := newWorld(t) // on a busy machine it takes long until the queue is full
	h, calls := counted()
	a, b, c := w.node("a", &handler{}), w.node("b", h), w.node("c", &handler{})
	p := newProxy(t, b.Self().Address)
	to := at(b.Self(), p.address())
	hold := send(a, to, ask("hold"))
	wait(t, "the call", calls)
	p.set(func() { p.stall = true })
	payload := string(make([]byte, 256<<10))
	var busy, other, sent atomic.Int64
	var all sync.WaitGroup
	for range 4 * peer.MaxQueuedBytes / len(payload) {
		all.Add(1)
		sent.Add(1)
		a.Send(to, ask(payload), func(_ *messages.Reply, err error) {
			defer all.Done()
			switch {
			case errors.Is(err, peer.ErrBusy):
				busy.Add(1)
			case err != nil:
				other.Add(1)
			}
		})
		if s := a.Stats()[0]; s.QueuedBytes > peer.MaxQueuedBytes || s.Queued > peer.MaxQueuedFrames || s.Unanswered > peer.MaxUnanswered {
			t.Fatalf("too much waits: %+v", s)
		}
	}
	w.mustEcho(a, c.Self())
	p.cut() // its silence would end it too, as TestBroken shows
	all.Wait()
	wait(t, "the end", hold)
	if busy.Load() == 0 || other.Load() == 0 || busy.Load()+other.Load() != sent.Load() {
		t.Errorf("of %d calls %d were refused and %d failed", sent.Load(), busy.Load(), other.Load())
	}
	p.set(func() { p.stall = false })
	w.mustEcho(a, to)
}

var storm = flag.Int("storm", 20_000, "calls of TestStorm; the full storm has 100000")

// TestStorm: very many calls while connections are cut again and again. Every
// attempt ends exactly once, and who tries again gets its own answer.
func TestStorm(t *testing.T) {
	total, callers := *storm, 64
	w := newWorld(t)
	w.silence = 0
	a, b := w.node("a", &handler{}), w.node("b", &handler{})
	p := newProxy(t, b.Self().Address)
	to := at(b.Self(), p.address())
	var next, attempts, ends, answered, broken, unsent atomic.Int64
	once := func(i int64) (again bool) {
		attempts.Add(1)
		want := fmt.Sprint(i)
		var times atomic.Int32
		got := make(chan outcome, 1)
		a.Send(to, ask(want), func(r *messages.Reply, err error) {
			ends.Add(1)
			if times.Add(1) > 1 {
				t.Errorf("call %d ended twice", i)
				return
			}
			got <- outcome{r, err}
		})
		var o outcome
		select {
		case o = <-got:
		case <-w.ctx.Done():
			t.Errorf("call %d did not end", i)
			return false
		}
		switch {
		case o.err == nil && string(o.reply.GetPayload()) == want:
			answered.Add(1)
			return false
		case errors.Is(o.err, peer.ErrBroken):
			broken.Add(1)
		case errors.Is(o.err, peer.ErrUnreachable):
			unsent.Add(1)
			_, _ = a.Ping(w.ctx, to, &messages.Ping{}) // dials, so that the next attempt need not fail at once
		default:
			t.Errorf("%d: %v, %v", i, o.reply, o.err)
		}
		return true
	}
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for i := next.Add(1); i <= int64(total); i = next.Add(1) {
				if i%int64(total/50) == 0 {
					p.cut()
				}
				for once(i) {
				}
			}
		})
	}
	all.Wait()
	if answered.Load() != int64(total) || broken.Load() == 0 || attempts.Load() != ends.Load() {
		t.Errorf("%d of %d answered, %d broken, %d not sent", answered.Load(), total, broken.Load(), unsent.Load())
	}
	t.Logf("%d answered, %d broken, %d not sent; %d connections", answered.Load(), broken.Load(), unsent.Load(), a.Stats()[0].Connects)
}
