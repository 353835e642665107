package peer_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/pki"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// TestRetain: connections to those that are no members any more are closed, and
// nothing of them is kept.
func TestRetain(t *testing.T) {
	w := newWorld(t)
	h, calls := counted()
	a, b, c := w.node("a", &handler{}), w.node("b", h), w.node("c", &handler{})
	w.mustEcho(a, c.Self())
	held := send(a, b.Self(), ask("hold"))
	wait(t, "the call", calls)
	conn, err := a.Conn(b.Self())
	if err != nil {
		t.Fatal(err)
	}
	a.Retain([]view.Member{c.Self()})
	if got := wait(t, "the end", held); !errors.Is(got.err, peer.ErrBroken) {
		t.Errorf("got %v", got.err)
	}
	if s := a.Stats(); len(s) != 1 || s[0].Name != "c" || !s[0].Up {
		t.Errorf("connections: %+v", s)
	}
	if state := conn.GetState().String(); state != "SHUTDOWN" {
		t.Errorf("the connection for other services is %v", state)
	}
	w.mustEcho(a, b.Self())
}

// TestRestart: another member at the same address is reached at once, and what
// was meant for the one before is not given to it.
func TestRestart(t *testing.T) {
	w := newWorld(t)
	a, b := w.node("a", &handler{}), w.lasting("b")
	before := b.Self()
	w.mustEcho(a, before)
	stop(b)
	c := w.config("b", &handler{call: func(_ peer.Identity, e *messages.Envelope, answer func(*messages.Reply)) {
		answer(&messages.Reply{Payload: []byte("new " + string(e.GetPayload()))})
	}})
	c.Bind = before.Address
	again := w.listen(c)
	if r, err := a.Call(w.ctx, again.Self(), ask("x")); err != nil || string(r.GetPayload()) != "new x" {
		t.Errorf("the new one: %v, %v", r, err)
	}
	var err error
	for w.ctx.Err() == nil && !errors.Is(err, peer.ErrNotMe) { // the end of the old stream may come first
		_, err = a.Ping(w.ctx, before, &messages.Ping{})
	}
	if _, err := a.Call(w.ctx, before, ask("x")); !errors.Is(err, peer.ErrUnreachable) {
		t.Errorf("the old one: %v", err)
	}
}

// TestSetSelf: a member that has joined again is another one to everybody.
func TestSetSelf(t *testing.T) {
	w := newWorld(t)
	from := make(chan peer.Identity, 1)
	a, b := w.node("a", &handler{}), w.node("b", &handler{call: func(i peer.Identity, e *messages.Envelope, answer func(*messages.Reply)) {
		if string(e.GetPayload()) == "who" {
			from <- i
		}
		answer(&messages.Reply{Payload: e.GetPayload()})
	}})
	w.mustEcho(a, b.Self())
	w.mustEcho(b, a.Self())
	before, after := a.Self(), a.Self()
	after.ID = "a-again"
	a.SetSelf(after)
	var err error
	for w.ctx.Err() == nil && !errors.Is(err, peer.ErrNotMe) {
		_, err = b.Ping(w.ctx, before, &messages.Ping{})
	}
	w.mustEcho(b, a.Self())
	w.mustEcho(a, b.Self())
	send(a, b.Self(), ask("who"))
	if got := wait(t, "a call", from); got.Member != "a-again" {
		t.Errorf("called by %+v", got)
	}
}

// TestStop: what was taken is answered, what comes later is not sent.
func TestStop(t *testing.T) {
	w := newWorld(t)
	answers := make(chan func(*messages.Reply), 1)
	a, b := w.node("a", &handler{}), w.node("b", &handler{call: func(_ peer.Identity, _ *messages.Envelope, answer func(*messages.Reply)) {
		answers <- answer
	}})
	held := send(a, b.Self(), ask("x"))
	answer := wait(t, "the call", answers)
	stopped := make(chan error, 1)
	go func() { stopped <- b.Stop(w.ctx) }()
	var err error
	for err == nil && w.ctx.Err() == nil {
		_, err = a.Ping(w.ctx, b.Self(), &messages.Ping{})
	}
	if !errors.Is(err, peer.ErrUnreachable) {
		t.Errorf("a ping while it stops: %v", err)
	}
	answer(&messages.Reply{Payload: []byte("yes")})
	if got := wait(t, "the answer", held); got.err != nil || string(got.reply.GetPayload()) != "yes" {
		t.Errorf("got %v", got)
	}
	if err := wait(t, "the end", stopped); err != nil {
		t.Errorf("stopped with %v", err)
	}
	if _, err := b.Call(w.ctx, a.Self(), ask("x")); !errors.Is(err, peer.ErrStopped) || !errors.Is(err, peer.ErrUnreachable) {
		t.Errorf("a call of one that has stopped: %v", err)
	}
}

// TestStopUnanswered: what is never answered does not hold up the end.
func TestStopUnanswered(t *testing.T) {
	w := newWorld(t)
	h, calls := counted()
	a, b := w.node("a", &handler{}), w.node("b", h)
	held := send(a, b.Self(), ask("hold"))
	wait(t, "the call", calls)
	ctx, cancel := context.WithCancel(w.ctx)
	cancel()
	if err := b.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped with %v", err)
	}
	if got := wait(t, "the end", held); !errors.Is(got.err, peer.ErrBroken) {
		t.Errorf("got %v", got.err)
	}
}

// TestExpired: a stream does not outlive the certificate it was opened with.
func TestExpired(t *testing.T) {
	w := newWorld(t)
	b := w.node("b", silent())
	for life := 2 * time.Second; life < patience; life *= 2 {
		a := w.listen(w.expiring("a", life))
		err := wait(t, "the end", send(a, b.Self(), ask("x"))).err
		if errors.Is(err, peer.ErrUnreachable) && 2*life < patience {
			continue // on a busy machine it may expire before it is used
		}
		// Whether the stream or the connection below it ends first, and so with which
		// words, is open.
		if !errors.Is(err, peer.ErrBroken) {
			t.Errorf("got %v", err)
		}
		if _, err := a.Call(w.ctx, b.Self(), ask("x")); !errors.Is(err, peer.ErrUnreachable) || !strings.Contains(err.Error(), "expired") {
			t.Errorf("after it: %v", err)
		}
		return
	}
}

// expiring is a node's configuration with a certificate for only so long.
func (w *world) expiring(name string, life time.Duration) peer.Config {
	w.t.Helper()
	past := *w.ca
	past.Now = func() time.Time { return time.Now().Add(life - time.Minute) }
	source, err := pki.NewSource(past.PEM(w.t, pki.Identity{Role: pki.Node, Name: name, Roles: pki.Roles()}, time.Minute), pki.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	c := w.config(name, &handler{})
	c.TLS = source
	return c
}

// TestStats: what went over, and what did not.
func TestStats(t *testing.T) {
	w := newWorld(t)
	h, calls := counted()
	a, b := w.node("a", &handler{}), w.node("b", h)
	w.mustEcho(a, b.Self())
	wait(t, "the call", calls)
	send(a, b.Self(), ask("hold"))
	wait(t, "the call", calls)
	out, in := a.Stats(), b.Inbound()
	if len(out) != 1 || len(in) != 1 {
		t.Fatalf("%d and %d connections", len(out), len(in))
	}
	o, i := out[0], in[0]
	if o.Name != "b" || !o.Up || o.SentFrames != 2 || o.Unanswered != 1 || o.SentBytes == 0 || o.ReceivedBytes == 0 || o.RTT == 0 || o.Connects != 1 || o.Failure != "" {
		t.Errorf("out: %+v", o)
	}
	if i.Name != "a" || i.Member != a.Self().ID || !i.Up || i.ReceivedFrames != 2 || i.Unanswered != 1 || i.SentBytes == 0 || i.ReceivedBytes == 0 {
		t.Errorf("in: %+v", i)
	}
	stop(b)
	var err error
	for w.ctx.Err() == nil && !errors.Is(err, peer.ErrRefused) {
		_, err = a.Ping(w.ctx, b.Self(), &messages.Ping{})
	}
	if o := a.Stats()[0]; o.Up || !strings.Contains(o.Failure, "nobody listens") {
		t.Errorf("afterwards: %+v", o)
	}
}
