package client

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	// beatEvery is how often a client that watches makes sure that its node lives;
	// one that says nothing at all is found dead sooner.
	beatEvery = 2 * time.Second
	beatTime  = 3 * time.Second

	watchTopic = "watch"

	// MaxWatches is how many watches one Client may have.
	MaxWatches = 10_000
)

// Change is one state of an actor that is watched.
type Change struct {
	Answer proto.Message // to the question that is watched; shared: not to be changed
	Err    error         // instead: for instance messages.NotFound, once it is gone
}

// Watch answers get, a query, now and whenever the actor has changed, until ctx
// ends and the channel is closed; Close does so too, and a refusal after it was
// delivered. It outlives the death of the node that it goes through and moves of
// the actor. Who reads slowly misses states, but never the last one; after a node
// has died an older state may come once more before the newest.
func (c *Client) Watch(ctx context.Context, kind, id string, get proto.Message) (<-chan Change, error) {
	asked, err := question(kind, id, get)
	if err != nil {
		return nil, err
	}
	return into(ctx, c.watches, asked, func(change Change) Change { return change }, false)
}

// question is a WatchGrain.
func question(kind, id string, get proto.Message) ([]byte, error) {
	if get == nil || !messages.IsQuery(get) {
		return nil, fmt.Errorf("%T is no query: %w", get, messages.Invalid)
	}
	payload, err := proto.Marshal(get)
	if err == nil {
		payload, err = proto.Marshal(&messages.WatchGrain{Kind: kind, Id: id, Method: messages.NameOf(get), Payload: payload})
	}
	if err != nil {
		return nil, fmt.Errorf("%T cannot be encoded (%w): %w", get, err, messages.Invalid)
	}
	return payload, nil
}

// into begins a watch whose changes are shown as something else; once ends it with
// the first error.
func into[T any](ctx context.Context, w *watches, asked []byte, show func(Change) T, once bool) (<-chan T, error) {
	out := make(chan T, 1)
	return out, w.add(ctx, &watch{asked: asked, once: once,
		put: func(c Change) { // the newest, in place of one that was not read
			select {
			case <-out:
			default:
			}
			out <- show(c)
		},
		close: func() { close(out) },
	})
}

// watch is one question that is watched. Guarded by watches.mu.
type watch struct {
	number uint64
	asked  []byte       // a WatchGrain
	put    func(Change) // only under mu, and never after close
	close  func()
	once   bool // the first error ends it
	forget func() bool
	last   *Change
	round  uint64 // in which it was begun last
	heard  bool   // something came in that round
}

// id names the watch to nodes. What a node still says of an earlier round has
// another name.
func (w *watch) id() string { return fmt.Sprintf("%d.%d", w.number, w.round) }

func (w *watch) notice(end bool) *messages.Notice {
	n := &messages.Notice{Topic: watchTopic, Id: w.id(), End: end}
	if !end {
		n.Method, n.Payload = messages.NameOf(&messages.WatchGrain{}), w.asked
	}
	return n
}

// deliver gives the newest state. The same again, as after a change of node, is
// none.
func (w *watch) deliver(c Change) {
	if l := w.last; l != nil && proto.Equal(l.Answer, c.Answer) && messages.KindOf(l.Err) == messages.KindOf(c.Err) {
		return
	}
	w.last = &c
	w.put(c)
}

// watches are those of one client. All go through one node; when its stream ends
// a new round begins, there or with another node.
type watches struct {
	c    *Client
	wake chan struct{}

	mu     sync.Mutex
	all    map[uint64]*watch
	count  uint64
	round  uint64
	at     *node  // nil: with none
	atName string // the name of that node, once it has said something
	closed bool
}

func newWatches(c *Client) *watches {
	return &watches{c: c, wake: make(chan struct{}, 1), all: map[uint64]*watch{}, round: 1}
}

func (w *watches) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *watches) add(ctx context.Context, one *watch) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
		return peer.ErrStopped
	case len(w.all) >= MaxWatches:
		return fmt.Errorf("%d watches already: %w", MaxWatches, messages.Exhausted)
	}
	w.count++
	one.number = w.count
	w.all[one.number] = one
	one.forget = context.AfterFunc(ctx, func() { w.drop(one) })
	w.nudge()
	return nil
}

// drop ends a watch that its beginner does not want any more.
func (w *watches) drop(one *watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.finish(one) && w.at != nil && one.round == w.round {
		w.c.dialer.Notify(w.at.member(), one.notice(true))
	}
}

// finish closes a watch; false if it was closed. Called under mu.
func (w *watches) finish(one *watch) bool {
	if w.all[one.number] != one {
		return false
	}
	delete(w.all, one.number)
	one.forget()
	one.close()
	return true
}

// lost begins a new round: the stream, on which all watches were, is over. Called
// under mu.
func (w *watches) lost() {
	w.round++
	w.at, w.atName = nil, ""
	w.nudge()
}

// run keeps the watches with a node that lives, until the client is closed.
func (w *watches) run() {
	defer w.close()
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	pause := firstPause
	for {
		select {
		case <-w.c.ctx.Done():
			return
		case <-w.wake:
		case <-ticker.C:
		}
		if w.len() == 0 {
			continue
		}
		if w.beat() {
			pause = firstPause
			continue
		}
		if !sleep(w.c.ctx, pause) {
			return
		}
		pause = min(2*pause, longestPause)
		w.nudge()
	}
}

func (w *watches) len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.all)
}

func (w *watches) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	for _, one := range w.all {
		w.finish(one)
	}
}

// beat makes sure that the node lives, and begins what it does not watch yet.
func (w *watches) beat() bool {
	w.mu.Lock()
	at := w.at
	w.mu.Unlock()
	if at == nil {
		at = w.c.nodes.pick()
	}
	ctx, cancel := context.WithTimeout(w.c.ctx, beatTime)
	defer cancel()
	if err := w.c.look(ctx, at); err != nil {
		w.c.nodes.failed(at)
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.at == at {
			w.lost()
		}
		return false
	}
	w.begin(at)
	return true
}

// begin has a node watch what it has not said anything of in this round: it may
// not have heard, and hears it twice without harm.
func (w *watches) begin(at *node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.at == nil {
		w.at = at
	}
	if w.at != at {
		return
	}
	for _, one := range w.all {
		if one.round == w.round && one.heard {
			continue
		}
		one.round, one.heard = w.round, false
		w.c.dialer.Notify(at.member(), one.notice(false))
	}
}
