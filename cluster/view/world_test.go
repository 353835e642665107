package view_test

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/cluster/view"
)

// world is a cloud in one goroutine, from one seed: members with clocks of their
// own, a network that loses, delays and cuts, and a member table that goes away.
type world struct {
	random  *rand.Rand
	now     time.Duration // real time, which nobody in the world knows
	events  events
	serial  uint64
	nodes   []*node
	table   table
	timings view.Timings
	grains  int

	delay  func() time.Duration // of one message
	slow   time.Duration        // more delay than usual, at most
	loss   float64              // of one message, 0 to 1
	cut    map[[2]int]bool      // one way, from and to
	broken string               // what went wrong
	log    []string
	evicts int
	fences int
}

type event struct {
	at     time.Duration
	serial uint64
	do     func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].serial < e[j].serial
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func newWorld(seed uint64, nodes, grains int) *world {
	w := &world{
		random: rand.New(rand.NewPCG(seed, 0x7403)), timings: view.DefaultTimings(),
		grains: grains, cut: map[[2]int]bool{},
	}
	w.delay = func() time.Duration { return w.between(200*time.Microsecond, 3*time.Millisecond) }
	w.table = table{world: w, up: true, index: 10, records: map[string]*record{}}
	for i := range nodes {
		w.nodes = append(w.nodes, newNode(w, i))
	}
	return w
}

func (w *world) between(low, high time.Duration) time.Duration {
	return low + time.Duration(w.random.Int64N(int64(high-low)+1))
}

func (w *world) after(d time.Duration, do func()) {
	w.serial++
	heap.Push(&w.events, event{w.now + d, w.serial, do})
}

// run lets that much time pass, or less if something went wrong.
func (w *world) run(d time.Duration) {
	end := w.now + d
	for len(w.events) > 0 && w.events[0].at <= end && w.broken == "" {
		e := heap.Pop(&w.events).(event)
		w.now = e.at
		e.do()
	}
	w.now = end
}

// runUntil lets time pass until something holds, and returns how long it took.
func (w *world) runUntil(limit time.Duration, holds func() bool) (time.Duration, bool) {
	began := w.now
	for w.now-began < limit && w.broken == "" {
		if holds() {
			return w.now - began, true
		}
		w.run(20 * time.Millisecond)
	}
	return w.now - began, holds()
}

func (w *world) say(format string, args ...any) {
	if len(w.log) < 4000 {
		w.log = append(w.log, fmt.Sprintf("%9.3f ", w.now.Seconds())+fmt.Sprintf(format, args...))
	}
}

func (w *world) breaks(format string, args ...any) {
	if w.broken == "" {
		w.broken = fmt.Sprintf(format, args...)
		w.say("BROKEN: %s", w.broken)
	}
}

func (w *world) story() string {
	return strings.Join(w.log[max(0, len(w.log)-*lines):], "\n")
}

// send carries something from one node to another, or does not.
func (w *world) send(from, to int, arrive func(), lost func()) {
	if w.cut[[2]int{from, to}] || w.random.Float64() < w.loss {
		if lost != nil {
			lost()
		}
		return
	}
	w.after(w.delay()+w.between(0, w.slow), arrive)
}

// table is a member table with sessions that expire, asked over a network.
type table struct {
	world   *world
	up      bool
	index   uint64
	era     int // how often it was wiped
	records map[string]*record
	cut     map[int]bool // nodes that cannot reach it
	slow    time.Duration
}

type record struct {
	member  view.Member
	node    int
	renewed time.Duration
}

const sessionTTL = 10 * time.Second

// ask performs something at the table for a node and brings the outcome back.
// reply is called exactly once; ok is false if no answer came, whatever was done.
func (t *table) ask(from int, do func(), reply func(ok bool)) {
	w := t.world
	done := false
	finish := func(ok bool) {
		if !done {
			done = true
			reply(ok)
		}
	}
	w.after(800*time.Millisecond, func() { finish(false) })
	reachable := func() bool { return t.up && !t.cut[from] && w.random.Float64() >= w.loss/2 }
	delay := func() time.Duration { return w.delay() + w.between(0, t.slow) }
	w.after(delay(), func() {
		if !reachable() {
			return
		}
		do()
		if reachable() {
			w.after(delay(), func() { finish(true) })
		}
	})
}

func (t *table) view() *view.View {
	var members []view.Member
	for _, r := range t.records {
		members = append(members, r.member)
	}
	return view.New(t.index, members)
}

// change counts the index up and tells the watchers, each in its own time.
func (t *table) change(f func()) {
	f()
	t.index++
	for _, n := range t.world.nodes {
		n.watch()
	}
}

func (t *table) remove(name string) { t.change(func() { delete(t.records, name) }) }

// expire ends sessions that were not renewed.
func (t *table) expire() {
	w := t.world
	if t.up {
		for name, r := range t.records {
			if w.now-r.renewed > sessionTTL {
				w.say("session of %s expires", r.member.ID)
				t.remove(name)
			}
		}
	}
	w.after(500*time.Millisecond, t.expire)
}

// restart gives every session its full time again, as Consul does with a new leader.
func (t *table) restart() {
	t.up = true
	for _, r := range t.records {
		r.renewed = t.world.now
	}
	for _, n := range t.world.nodes {
		n.watch()
	}
}
