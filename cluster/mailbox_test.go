package cluster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/messages"
)

// TestQueue does what a slice does.
func TestQueue(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		dice := rand.New(rand.NewPCG(seed, 1))
		var q queue[int]
		var want []int
		for n := range 5000 {
			if dice.IntN(2*keptQueue) > len(want) || dice.IntN(2) == 0 {
				q.push(n)
				want = append(want, n)
				continue
			}
			got, ok := q.pop()
			if ok != (len(want) > 0) || ok && got != want[0] {
				t.Fatalf("seed %d: popped %d, %v of %v", seed, got, ok, want)
			}
			if ok {
				want = want[1:]
			}
			if q.size != len(want) {
				t.Fatalf("seed %d: %d, not %d", seed, q.size, len(want))
			}
		}
		for range want {
			q.pop()
		}
		if _, ok := q.pop(); ok || len(q.ring) > keptQueue {
			t.Fatalf("seed %d: an empty queue keeps %d", seed, len(q.ring))
		}
	}
}

// reader is whom a mailbox is read to.
type reader struct {
	t       *testing.T
	read    chan string
	gate    chan struct{} // if not nil, a "wait" waits for it
	at      atomic.Int32
	escaped atomic.Int32
}

func (r *reader) InvokeUserMessage(m any) {
	if r.at.Add(1) > 1 {
		r.t.Error("two messages at once")
	}
	defer r.at.Add(-1)
	said := fmt.Sprint(m)
	if c, ok := m.(*call); ok {
		said = c.request
	}
	r.read <- said
	switch said {
	case "wait":
		<-r.gate
	case "panic":
		panic(said)
	}
}

func (r *reader) InvokeSystemMessage(m any) { r.InvokeUserMessage(fmt.Sprintf("system %v", m)) }
func (r *reader) EscalateFailure(any, any)  { r.escaped.Add(1) }
func (r *reader) next(n int) (got []string) { return take(r.read, n) }
func told(s string) *call                   { return &call{request: s} }
func asked(s string) *call                  { return &call{request: s, answer: func(proto.Message, error) {}} }
func take(from chan string, n int) (got []string) {
	for range n {
		got = append(got, <-from)
	}
	return got
}

// box is a mailbox of workers on which turns goroutines take turns.
func box(t *testing.T, w *workers, read chan string) (*mailbox, *reader) {
	r := &reader{t: t, read: read, gate: make(chan struct{})}
	m := w.mailbox().(*mailbox)
	m.RegisterHandlers(r, nil)
	m.Start()
	return m, r
}

func oneTurn(t *testing.T) *workers {
	w := newWorkers()
	w.turns = 1
	t.Cleanup(w.stop)
	return w
}

// TestMailboxAhead: what somebody waits for is handled while the only goroutine
// that takes turns is kept busy, and with it what is in front of it in its mailbox;
// what is behind it waits.
func TestMailboxAhead(t *testing.T) {
	t.Parallel()
	w := oneTurn(t)
	busy, keeper := box(t, w, make(chan string, 10))
	m, r := box(t, w, make(chan string, 10))
	busy.PostUserMessage(told("wait"))
	keeper.next(1)
	m.PostUserMessage(told("before"))
	m.PostUserMessage(asked("asked"))
	if got := r.next(2); !slices.Equal(got, []string{"before", "asked"}) {
		t.Error(got)
	}
	m.PostUserMessage(told("after"))
	m.PostUserMessage(wake{})
	if n := m.UserMessageCount(); n != 2 || len(r.read) > 0 {
		t.Errorf("%d wait, %d were handled out of turn", n, len(r.read))
	}
	close(keeper.gate)
	if got := r.next(2); !slices.Equal(got, []string{"after", "{}"}) {
		t.Error(got)
	}
}

// TestMailboxTurns: a mailbox lets others have their turn after behindBurst messages.
func TestMailboxTurns(t *testing.T) {
	t.Parallel()
	w := oneTurn(t)
	read := make(chan string, 10*behindBurst)
	busy, keeper := box(t, w, make(chan string, 1))
	one, _ := box(t, w, read)
	other, _ := box(t, w, read)
	busy.PostUserMessage(told("wait"))
	keeper.next(1)
	var want []string
	for range behindBurst + 1 {
		one.PostUserMessage(told("one"))
		other.PostUserMessage(told("other"))
	}
	close(keeper.gate)
	for _, s := range []string{"one", "other"} {
		want = append(want, slices.Repeat([]string{s}, behindBurst)...)
	}
	if got := take(read, 2*behindBurst+2); !slices.Equal(got, append(want, "one", "other")) {
		t.Error(got)
	}
}

// TestMailboxSystem: protoactor's own messages come first; while it has suspended a
// mailbox, nothing else is handled, and a panic is told to it.
func TestMailboxSystem(t *testing.T) {
	t.Parallel()
	w := oneTurn(t)
	m, r := box(t, w, make(chan string, 10))
	m.PostUserMessage(asked("wait"))
	r.next(1)
	m.PostUserMessage(asked("user"))
	m.PostUserMessage(told("panic"))
	m.PostUserMessage(told("last"))
	m.PostSystemMessage("first")
	m.PostSystemMessage(&actor.SuspendMailbox{})
	close(r.gate)
	if got := r.next(1); got[0] != "system first" {
		t.Error(got)
	}
	m.PostUserMessage(asked("while it is suspended"))
	m.PostSystemMessage("second")
	if got := r.next(1); got[0] != "system second" {
		t.Error(got)
	}
	m.PostSystemMessage(&actor.ResumeMailbox{})
	if got := r.next(4); !slices.Equal(got, []string{"user", "panic", "last", "while it is suspended"}) || r.escaped.Load() != 1 {
		t.Error(got, r.escaped.Load())
	}
}

// TestMailboxRace: of many senders every message is handled once, each sender's in
// its order, one at a time.
func TestMailboxRace(t *testing.T) {
	t.Parallel()
	const senders, each, boxes = 8, 300, 5
	w := newWorkers()
	t.Cleanup(w.stop)
	read := make([]chan string, boxes)
	mailboxes := make([]*mailbox, boxes)
	for i := range boxes {
		read[i] = make(chan string, senders*each)
		mailboxes[i], _ = box(t, w, read[i])
	}
	var all sync.WaitGroup
	for s := range senders {
		all.Go(func() {
			dice := rand.New(rand.NewPCG(uint64(s), 2))
			for n := range each {
				for _, m := range mailboxes {
					c := told(fmt.Sprintf("%d %d", s, n))
					if dice.IntN(3) == 0 {
						c.answer = func(proto.Message, error) {}
					}
					m.PostUserMessage(c)
				}
			}
		})
	}
	all.Wait()
	for i := range boxes {
		next := make([]int, senders)
		for _, said := range take(read[i], senders*each) {
			var s, n int
			if _, err := fmt.Sscan(said, &s, &n); err != nil || next[s] != n {
				t.Fatalf("%q where %d was due, %v", said, next[s], err)
			}
			next[s]++
		}
	}
}

// TestIsAsked: what goes ahead.
func TestIsAsked(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		message any
		want    bool
	}{
		"ask":                        {asked(""), true},
		"the node's own":             {&call{answer: func(proto.Message, error) {}, patient: true}, false},
		"tell":                       {told(""), false},
		"commit, somebody waits":     {committed{asked: true}, true},
		"commit, nobody waits":       {committed{}, false},
		"from another node, ask":     {&actor.MessageEnvelope{Message: &messages.Envelope{}}, true},
		"from another node, tell":    {&messages.Envelope{Tell: true}, false},
		"a clock":                    {wake{}, false},
		"idle":                       {passivate{}, false},
		"may read the store":         {nudge{}, true},
		"others wait for it to part": {retire{}, true},
	} {
		if got := isAsked(tt.message); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
