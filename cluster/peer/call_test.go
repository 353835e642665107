package peer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/messages"
)

// TestCall: whatever the other side does, there is one answer.
func TestCall(t *testing.T) {
	w := newWorld(t)
	tells := make(chan string, 1)
	answers := map[string]func(answer func(*messages.Reply)){
		"answers":     func(a func(*messages.Reply)) { a(&messages.Reply{Payload: []byte("yes")}) },
		"later":       func(a func(*messages.Reply)) { go a(&messages.Reply{Payload: []byte("yes")}) },
		"twice":       func(a func(*messages.Reply)) { a(&messages.Reply{Payload: []byte("yes")}); a(&messages.Reply{}) },
		"refuses":     func(a func(*messages.Reply)) { a(&messages.Reply{Error: messages.ErrorKind_ERROR_KIND_CONFLICT}) },
		"with nil":    func(a func(*messages.Reply)) { a(nil) },
		"panics":      func(func(*messages.Reply)) { panic("in a test") },
		"then panics": func(a func(*messages.Reply)) { a(&messages.Reply{Payload: []byte("yes")}); panic("in a test") },
		"too much":    func(a func(*messages.Reply)) { a(&messages.Reply{Payload: make([]byte, peer.MaxPayloadBytes)}) },
		"no text":     func(a func(*messages.Reply)) { a(&messages.Reply{Message: "\xff"}) },
	}
	b := w.node("b", &handler{call: func(_ peer.Identity, e *messages.Envelope, answer func(*messages.Reply)) {
		if e.GetTell() {
			tells <- string(e.GetPayload())
			return
		}
		answers[string(e.GetPayload())](answer)
	}})
	a := w.node("a", &handler{})
	internal := messages.ErrorKind_ERROR_KIND_INTERNAL
	for payload, want := range map[string]messages.ErrorKind{
		"answers": 0, "later": 0, "twice": 0, "refuses": messages.ErrorKind_ERROR_KIND_CONFLICT, "then panics": 0,
		"with nil": internal, "panics": internal, "too much": internal, "no text": internal,
	} {
		r, err := a.Call(w.ctx, b.Self(), ask(payload))
		if err != nil || r.GetError() != want || want == 0 && string(r.GetPayload()) != "yes" {
			t.Errorf("%s: got %.200v, %v; want %v", payload, r, err, want)
		}
	}
	told := ask("told")
	told.Tell = true
	if got := wait(t, "the end of a tell", send(a, b.Self(), told)); got.err != nil || got.reply != nil {
		t.Errorf("a tell ended with %v", got)
	}
	if got := wait(t, "a tell", tells); got != "told" {
		t.Errorf("told %q", got)
	}
}

// TestOrder: what one goroutine sends arrives in that order, and answers may come
// in any.
func TestOrder(t *testing.T) {
	const n = 6000
	w := newWorld(t)
	var mu sync.Mutex
	var arrived []string
	var held []func()
	b := w.node("b", &handler{call: func(_ peer.Identity, e *messages.Envelope, answer func(*messages.Reply)) {
		mu.Lock()
		defer mu.Unlock()
		arrived = append(arrived, string(e.GetPayload()))
		held = append(held, func() { answer(&messages.Reply{Payload: e.GetPayload()}) })
		if len(held) == 100 {
			slices.Reverse(held)
			for _, f := range held {
				f()
			}
			held = nil
		}
	}})
	a := w.node("a", &handler{})
	var all sync.WaitGroup
	room := make(chan struct{}, 1000)
	for i := range n {
		all.Add(1)
		room <- struct{}{}
		want := fmt.Sprint(i)
		a.Send(b.Self(), ask(want), func(r *messages.Reply, err error) {
			if err != nil || string(r.GetPayload()) != want {
				t.Errorf("%s: got %v, %v", want, r, err)
			}
			<-room
			all.Done()
		})
	}
	all.Wait()
	for i, got := range arrived {
		if got != fmt.Sprint(i) {
			t.Fatalf("%d arrived as number %d", i, i)
		}
	}
}

// TestSize: ten MiB pass, among others; too much is refused before it is sent.
func TestSize(t *testing.T) {
	w := newWorld(t)
	b, a := w.node("b", &handler{}), w.node("a", &handler{})
	big := ask(strings.Repeat("x", 10<<20))
	first, second, third := send(a, b.Self(), ask("small")), send(a, b.Self(), big), send(a, b.Self(), ask("small"))
	for i, c := range []<-chan outcome{first, second, third} {
		want := 5
		if i == 1 {
			want = 10 << 20
		}
		if got := wait(t, "an answer", c); got.err != nil || len(got.reply.GetPayload()) != want {
			t.Errorf("%d: got %d bytes, %v", i, len(got.reply.GetPayload()), got.err)
		}
	}
	_, err := a.Call(w.ctx, b.Self(), ask(strings.Repeat("x", peer.MaxPayloadBytes)))
	if !errors.Is(err, peer.ErrTooLarge) || !errors.Is(err, messages.Invalid) || !strings.Contains(err.Error(), "16 MiB") {
		t.Errorf("too large: %v", err)
	}
	if _, err := a.Call(w.ctx, b.Self(), &messages.Envelope{Kind: "\xff"}); !errors.Is(err, messages.Invalid) {
		t.Errorf("no text: %v", err)
	}
	w.mustEcho(a, b.Self())
}

// TestDeadline: a call ends at its own deadline and with its context.
func TestDeadline(t *testing.T) {
	w := newWorld(t)
	calls := make(chan string, 10)
	b := w.node("b", &handler{call: func(_ peer.Identity, e *messages.Envelope, _ func(*messages.Reply)) { calls <- string(e.GetPayload()) }})
	a := w.node("a", &handler{})
	w.mustPing(a, b)
	e := ask("late")
	e.DeadlineUnixMs = time.Now().Add(100 * time.Millisecond).UnixMilli()
	if got := wait(t, "the end", send(a, b.Self(), e)); !errors.Is(got.err, peer.ErrTimeout) || !errors.Is(got.err, messages.Unavailable) {
		t.Errorf("past the deadline: %v", got.err)
	}
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := a.Call(ctx, b.Self(), ask("cancelled"))
		ended <- err
	}()
	for wait(t, "the second call", calls) != "cancelled" { // the first may have ended before it was sent
	}
	cancel()
	if err := wait(t, "the end", ended); !errors.Is(err, context.Canceled) || !errors.Is(err, peer.ErrTimeout) {
		t.Errorf("cancelled: %v", err)
	}
	if n := a.Stats()[0].Unanswered; n != 0 {
		t.Errorf("%d calls still wait", n)
	}
}

func (w *world) mustPing(a, b *peer.Server) {
	w.t.Helper()
	if _, err := a.Ping(w.ctx, b.Self(), &messages.Ping{}); err != nil {
		w.t.Fatal(err)
	}
}

// TestPing: nodes ping each other, also on behalf of a third, which may take
// its time without holding up anything else.
func TestPing(t *testing.T) {
	w := newWorld(t)
	c := w.node("c", &handler{})
	var b *peer.Server
	seen := make(chan peer.Identity, 1)
	release := make(chan struct{})
	b = w.node("b", &handler{ping: func(from peer.Identity, p *messages.Ping) *messages.Pong {
		if p.GetAskFor() == "" {
			return &messages.Pong{Released: p.GetReleased() + 1}
		}
		seen <- from
		<-release
		_, err := b.Ping(w.ctx, c.Self(), &messages.Ping{})
		return &messages.Pong{AskedFor: p.GetAskFor(), AskedForLives: err == nil}
	}})
	a := w.node("a", &handler{})
	indirect := make(chan *messages.Pong, 1)
	go func() {
		p, err := a.Ping(w.ctx, b.Self(), &messages.Ping{AskFor: c.Self().ID})
		if err != nil {
			t.Error(err)
		}
		indirect <- p
	}()
	if got := wait(t, "the ping for another", seen); got.Name != "a" || got.Role != peer.RoleNode || got.Member != a.Self().ID || got.Stream == 0 {
		t.Errorf("pinged by %+v", got)
	}
	p, err := a.Ping(w.ctx, b.Self(), &messages.Ping{Released: 6})
	if err != nil || p.GetReleased() != 7 {
		t.Errorf("got %v, %v", p, err)
	}
	close(release)
	if p := wait(t, "the pong", indirect); !p.GetAskedForLives() || p.GetAskedFor() != c.Self().ID {
		t.Errorf("got %v", p)
	}
	if rtt := a.Stats()[0].RTT; rtt <= 0 {
		t.Errorf("a round trip took %v", rtt)
	}
}
