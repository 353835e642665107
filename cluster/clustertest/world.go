// Package clustertest owns a cluster without a network: many nodes in one
// process, an oracle in place of membership, and every fault that a test wants,
// from a seed. It judges nothing; tests do.
//
// Its oracle knows at once who is dead, but lets everybody act on it as late as
// the real thing would: an eviction comes Detect after the fault, a lease lasts
// Lease beyond the last contact with the table, a hand-over waits for everybody.
package clustertest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/view"
)

// Timings of a World. The defaults are those of the real thing.
type Timings struct {
	Detect  time.Duration // from a fault to the eviction
	Lease   time.Duration // how long a member may answer reads without the table
	Margin  time.Duration // on top of Lease, before an evicted member's grains live elsewhere
	Silence time.Duration // after which a stream that is not answered counts as broken
	Rejoin  time.Duration // from learning of one's eviction to being back
}

// DefaultTimings are the real ones.
func DefaultTimings() Timings {
	return Timings{
		Detect: 1250 * time.Millisecond, Lease: 1200 * time.Millisecond, Margin: 200 * time.Millisecond,
		Silence: 1250 * time.Millisecond, Rejoin: 300 * time.Millisecond,
	}
}

// Config of a World.
type Config struct {
	Seed      uint64
	Timings   Timings       // zero: DefaultTimings
	Delay     time.Duration // of a message, at most; zero: none
	ViewDelay time.Duration // until a member sees a new view, at most
	Loss      float64       // of messages: the stream breaks, before or after delivery
}

// World is a network and the table of its members.
type World struct {
	config Config

	mu       sync.Mutex
	rand     *rand.Rand
	index    uint64
	latest   *view.View
	stable   uint64
	grace    time.Time // until when evicted members may still hold a lease
	released map[string]uint64
	nets     map[string]*Net // by name, the living
	cuts     map[link]bool
	pending  map[*exchange]struct{}
	starts   int
	closed   bool
	tasks    sync.WaitGroup
	traffic  Traffic
}

type link struct{ from, to string }

// Traffic is what has crossed the network.
type Traffic struct{ Messages, Bytes int64 }

// New makes an empty world.
func New(c Config) *World {
	if c.Timings == (Timings{}) {
		c.Timings = DefaultTimings()
	}
	return &World{
		config: c, rand: rand.New(rand.NewPCG(c.Seed, 1)), latest: view.New(0, nil),
		released: map[string]uint64{}, nets: map[string]*Net{}, cuts: map[link]bool{},
		pending: map[*exchange]struct{}{},
	}
}

// Join makes the network of a node that is to be started: it is a member once
// the node has attached.
func (w *World) Join(name string, roles view.Role) *Net {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := &Net{world: w, name: name, roles: roles, protocol: actors.Format, changed: make(chan struct{})}
	n.self = w.newMember(n)
	w.nets[name] = n
	return n
}

func (w *World) newMember(n *Net) view.Member {
	w.starts++
	return view.Member{
		ID: fmt.Sprintf("%s-%d", n.name, w.starts), Name: n.name, Address: n.name + ":1", Roles: n.roles,
		Hosts: n.self.Hosts, Version: "test", Protocol: n.protocol, MinProtocol: actors.FormatFirst, Started: time.Now(),
	}
}

// View is the present table.
func (w *World) View() *view.View {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.latest
}

// Settled says whether everybody has come to the present view.
func (w *World) Settled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stable == w.latest.Index
}

// Traffic is what has crossed the network since the start.
func (w *World) Traffic() Traffic {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.traffic
}

// Close ends the world once its messages have come to rest. Nodes must have been
// stopped before.
func (w *World) Close() {
	w.mu.Lock()
	w.closed = true
	lost := w.lose(func(*exchange) bool { return true })
	w.mu.Unlock()
	fail(lost)
	w.tasks.Wait()
}

// later runs work after d unless the world has ended. Called under w.mu.
func (w *World) later(d time.Duration, work func()) {
	if w.closed {
		return
	}
	w.tasks.Add(1)
	time.AfterFunc(d, func() {
		defer w.tasks.Done()
		work()
	})
}

// between is a random duration up to limit. Called under w.mu.
func (w *World) between(limit time.Duration) time.Duration {
	if limit <= 0 {
		return 0
	}
	return time.Duration(w.rand.Int64N(int64(limit)))
}

// change writes the table: members as edit leaves them, under a new index.
// Called under w.mu.
func (w *World) change(edit func(all []view.Member) []view.Member) {
	w.index++
	w.latest = view.New(w.index, edit(slices.Clone(w.latest.Members)))
	for _, n := range w.nets {
		w.show(n)
	}
	w.judge()
}

// show lets n see the present table after its delay. Called under w.mu.
func (w *World) show(n *Net) {
	if n.shell == nil || n.dead {
		return
	}
	w.later(w.between(w.config.ViewDelay), n.look)
}

// judge finds out whether the present view is stable. Called under w.mu.
func (w *World) judge() {
	if w.stable == w.latest.Index {
		return
	}
	for _, m := range w.latest.Members {
		if w.released[m.ID] != w.latest.Index {
			return
		}
	}
	if wait := time.Until(w.grace); wait > 0 {
		w.later(wait, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.judge()
		})
		return
	}
	w.stable = w.latest.Index
	for _, n := range w.nets {
		close(n.changed)
		n.changed = make(chan struct{})
	}
}
