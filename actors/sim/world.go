// Package sim runs the whole cloud in one goroutine from one seed: every grain,
// the store, the hypervisors, the clock and everything that can go wrong between
// them. One seed is one whole history; what it finds once it finds again. It owns
// no rule of the cloud: it runs the same kinds that the shell runs.
package sim

import (
	"bytes"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/host"
	"github.com/troupe-cloud/troupe/messages"
)

// Faults are probabilities, each asked where it can strike.
type Faults struct {
	Loss, Duplicate float64 // of a message between grains
	Crash           float64 // between a commit and its effects
	Second          float64 // another activation of a grain comes up beside the first
	Restart         float64 // the whole node dies, after any event
	DriverFails     float64 // an operation fails and has done nothing
	DriverLies      float64 // an operation fails and has been done
	DomainDies      float64 // a running machine ends by itself, after any event
	Disconnects     float64 // a hypervisor is lost for a while, after any event
	NodeDies        float64 // the node of one hypervisor, which comes back, after any event
	Zombie          float64 // that node was only stopped, and goes on for a while with its older epoch
	MaxDelay        time.Duration
}

// Hostile is the weather of the ordinary tests.
var Hostile = Faults{
	Loss: 0.05, Duplicate: 0.05, Crash: 0.03, Second: 0.03, Restart: 0.002,
	DriverFails: 0.08, DriverLies: 0.05, DomainDies: 0.002, Disconnects: 0.002, MaxDelay: 3 * time.Second,
	NodeDies: 0.002, Zombie: 0.4,
}

type stored struct {
	value []byte
	rev   uint64
}

type activation struct {
	ref      actors.Ref
	state    actors.State
	rev      uint64
	deferred map[string][]func(actors.Message, error)
	alarm    time.Time // when it is woken; zero: not at all
	unread   bool      // it began with nothing, and no commit has proved yet that this was right

	// Of a host: the epoch of the node it lives on, if that is the one that drives
	// its hypervisor; 0: it is in exile.
	epoch uint64
}

// World is one cloud with its weather.
type World struct {
	rng    *rand.Rand
	faults Faults
	kinds  map[string]actors.Kind

	now    time.Duration
	events eventHeap
	seq    uint64
	idle   int // events that are always to come
	calm   bool

	store map[string]stored
	under map[string]map[string]bool // the keys of store by their first elements
	rev   uint64
	acts  map[actors.Ref][]*activation
	board map[string]*messages.HostFacts
	hosts []*hypervisor
	epoch uint64           // of the newest registration of any node
	disks map[string]*disk // on storage that all hosts share; nil: each has its own

	users *users
	dirty []actors.Ref // committed since the invariants were checked
	reads map[actors.Ref]seenState
	gone  map[string]bool // instances seen deleted
	trace []string
	err   error
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// New makes a world with n hypervisors.
func New(seed uint64, kinds []actors.Kind, n int, f Faults) *World {
	w := &World{
		rng: rand.New(rand.NewPCG(seed, 0x7472_6f75_7065)), faults: f, kinds: map[string]actors.Kind{},
		store: map[string]stored{}, under: map[string]map[string]bool{}, acts: map[actors.Ref][]*activation{}, board: map[string]*messages.HostFacts{},
		gone: map[string]bool{}, reads: map[actors.Ref]seenState{},
	}
	for _, k := range kinds {
		w.kinds[k.Name()] = k
	}
	for i := range n {
		w.hosts = append(w.hosts, newHypervisor(w, fmt.Sprintf("host-%d", i)))
	}
	return w
}

type event struct {
	at  time.Duration
	seq uint64
	do  func()
}

type eventHeap []event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || (h[i].at == h[j].at && h[i].seq < h[j].seq)
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(x any)   { *h = append(*h, x.(event)) }
func (h *eventHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	*h = old[:len(old)-1]
	return e
}

func (w *World) after(d time.Duration, do func()) {
	w.seq++
	heap.Push(&w.events, event{w.now + d, w.seq, do})
}

func (w *World) chance(p float64) bool { return !w.calm && w.rng.Float64() < p }

func (w *World) delay() time.Duration {
	if w.calm {
		return time.Millisecond
	}
	// Mostly quick, sometimes long: that is what reorders messages.
	if w.rng.IntN(8) > 0 {
		return time.Duration(w.rng.Int64N(int64(20 * time.Millisecond)))
	}
	return time.Duration(w.rng.Int64N(int64(w.faults.MaxDelay) + 1))
}

func (w *World) logf(format string, args ...any) {
	if len(w.trace) >= 4000 {
		w.trace = w.trace[1:]
	}
	w.trace = append(w.trace, fmt.Sprintf("%9.3fs ", w.now.Seconds())+fmt.Sprintf(format, args...))
}

func (w *World) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

// tell sends a message through the weather.
func (w *World) tell(to actors.Ref, m actors.Message) {
	if w.chance(w.faults.Loss) {
		w.logf("lost %T to %v", m, to)
		return
	}
	w.after(w.delay(), func() { w.deliver(to, m, nil) })
	if w.chance(w.faults.Duplicate) {
		w.after(w.delay(), func() { w.deliver(to, m, nil) })
	}
}

var errLost = fmt.Errorf("the activation is gone: %w", messages.Unavailable)

// deliver has one activation handle m; reply, if not nil, is called exactly once.
func (w *World) deliver(to actors.Ref, m actors.Message, reply func(actors.Message, error)) {
	if w.err != nil {
		return
	}
	if reply == nil {
		reply = func(actors.Message, error) {}
	}
	a := w.activate(to, m)
	if a == nil {
		reply(nil, errLost)
		return
	}
	w.handle(a, m, reply)
}

func (w *World) activate(to actors.Ref, m actors.Message) *activation {
	if live := w.acts[to]; len(live) > 0 && !w.chance(w.faults.Second) {
		return live[w.rng.IntN(len(live))]
	}
	if kind := w.kinds[to.Kind]; kind != nil && kind.Makes(m) && w.rng.IntN(4) > 0 { // one in four is asked again, and reads
		return w.begin(to, kind)
	}
	return w.activation(to)
}

// begin makes an activation that reads nothing, because of the message that is its
// first.
func (w *World) begin(to actors.Ref, kind actors.Kind) *activation {
	st, err := kind.Open(nil, nil)
	if err != nil {
		w.fail("open %v: %w", to, err)
		return nil
	}
	a := &activation{ref: to, deferred: map[string][]func(actors.Message, error){}, state: st, unread: true}
	w.joined(a)
	return a
}

// joined counts a among those of its grain.
func (w *World) joined(a *activation) {
	w.acts[a.ref] = append(w.acts[a.ref], a)
	if len(w.acts[a.ref]) > 1 {
		w.after(splitTime, func() { w.dropStale(a.ref) })
	}
}

// activation makes another one.
func (w *World) activation(to actors.Ref) *activation {
	kind, ok := w.kinds[to.Kind]
	if !ok {
		w.fail("no kind %s", to.Kind)
		return nil
	}
	a := &activation{ref: to, deferred: map[string][]func(actors.Message, error){}}
	if !w.read(a, kind) {
		return nil
	}
	if to.Kind == host.Kind {
		if h := w.hypervisor(to.ID); h.home {
			a.epoch = h.epoch
		}
	}
	w.joined(a)
	w.handle(a, &messages.Activated{}, func(actors.Message, error) {})
	if !slices.Contains(w.acts[to], a) {
		return nil
	}
	return a
}

func (w *World) drop(a *activation) {
	w.acts[a.ref] = slices.DeleteFunc(w.acts[a.ref], func(x *activation) bool { return x == a })
	for _, key := range sorted(a.deferred) {
		for _, r := range a.deferred[key] {
			r(nil, errLost)
		}
	}
	a.deferred = nil
	if a.ref.Kind == host.Kind {
		// The node keeps the hosts of its own hypervisors alive, and lists what is
		// there whenever one has stopped: it may have swallowed what it was told.
		w.after(100*time.Millisecond, func() {
			if h := w.hypervisor(a.ref.ID); h.connected && h.home {
				h.list()
			}
		})
	}
}

func (w *World) handle(a *activation, m actors.Message, reply func(actors.Message, error)) {
	before := bytes.Clone(a.state.Encoded())
	turn, err := w.kinds[a.ref.Kind].Step(a.state, actors.Input{ID: a.ref.ID, Now: epoch.Add(w.now), Message: m})
	if !bytes.Equal(before, a.state.Encoded()) {
		w.fail("%v changed its input at %T", a.ref, m)
	}
	if a.unread && (err != nil || !turn.Changed) { // it may not say so before it has read
		if w.read(a, w.kinds[a.ref.Kind]) {
			w.handle(a, m, reply)
		}
		return
	}
	if err != nil {
		w.logf("%v refused %T: %v", a.ref, m, err)
		reply(nil, err)
		return
	}
	if turn.Changed {
		if !w.commit(a, turn) {
			w.logf("%v lost the race at %T", a.ref, m)
			w.drop(a)
			reply(nil, errLost)
			return
		}
		w.logf("%v took %T {%v}", a.ref, m, m)
		if w.chance(w.faults.Crash) {
			w.logf("%v crashed after its commit", a.ref)
			w.drop(a)
			reply(nil, errLost)
			return
		}
	}
	a.state = turn.State
	w.watchClock(a)
	w.perform(a, turn.Effects, reply)
}

func (w *World) perform(a *activation, effects []actors.Effect, reply func(actors.Message, error)) {
	answered := false
	for _, e := range effects {
		switch e := e.(type) {
		case actors.Tell:
			w.tell(e.To, e.Message)
		case actors.Reply:
			answered = true
			reply(e.Message, nil)
		case actors.Defer:
			answered = true
			a.deferred[e.Key] = append(a.deferred[e.Key], reply)
		case actors.Answer:
			waiting := a.deferred[e.Key]
			delete(a.deferred, e.Key)
			for _, r := range waiting {
				r(e.Message, e.Err)
			}
		case actors.Drive:
			if a.epoch != 0 {
				w.hypervisor(a.ref.ID).drive(e.Order, a.epoch)
			}
		case actors.Reconcile:
			if h := w.hypervisor(a.ref.ID); a.epoch == 0 {
				w.exiled(a)
			} else if h.connected && h.home && h.epoch == a.epoch {
				h.list()
			}
		case actors.Publish:
			w.board[a.ref.ID] = e.Facts
		case actors.QueryHosts:
			w.answerQuery(a.ref, e.Round)
		case actors.Probe:
			w.probe(a.ref, e.Targets)
		case actors.ReadConsole, actors.Discard, actors.Notify:
			answered = true
			reply(&messages.Done{}, nil)
		default:
			w.fail("unknown effect %T", e)
		}
	}
	if !answered {
		reply(&messages.Done{}, nil)
	}
}

func (w *World) answerQuery(to actors.Ref, round uint64) {
	m := &messages.HostsAnswered{Round: round}
	for _, name := range sorted(w.board) {
		m.Hosts = append(m.Hosts, w.board[name])
	}
	w.tell(to, m)
}

func (w *World) hypervisor(name string) *hypervisor {
	for _, h := range w.hosts {
		if h.name == name {
			return h
		}
	}
	w.fail("no hypervisor %s", name)
	return w.hosts[0]
}

// restart is the death of the node: every activation is gone, running driver
// operations have ended one way or the other, and the hypervisors connect anew.
func (w *World) restart() {
	w.logf("the node dies")
	var all []*activation
	for _, ref := range w.refs() {
		all = append(all, w.acts[ref]...)
	}
	for _, a := range all {
		w.drop(a)
	}
	w.board = map[string]*messages.HostFacts{}
	for _, h := range w.hosts {
		h.orphan()
		h.attach()
	}
}

func (w *World) refs() []actors.Ref {
	refs := make([]actors.Ref, 0, len(w.acts))
	for r := range w.acts {
		refs = append(refs, r)
	}
	slices.SortFunc(refs, func(a, b actors.Ref) int { return strings.Compare(a.String(), b.String()) })
	return refs
}

// step performs the next event and whatever strikes after it.
func (w *World) step() {
	e := heap.Pop(&w.events).(event)
	w.now = e.at
	e.do()
	if w.chance(w.faults.Restart) {
		w.restart()
	}
	h := w.hosts[w.rng.IntN(len(w.hosts))]
	if w.chance(w.faults.DomainDies) {
		h.killOne()
	}
	if w.chance(w.faults.Disconnects) {
		h.disconnect()
	}
	if w.chance(w.faults.NodeDies) {
		h.die(w.chance(w.faults.Zombie))
	}
	w.check()
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
