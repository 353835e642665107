// Package sim runs the whole cloud in one goroutine from one seed: every grain,
// the store, the hypervisors, the clock and everything that can go wrong between
// them. One seed is one whole history; what it finds once it finds again. It owns
// no rule of the cloud: it runs the same kinds that the shell runs.
package sim

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/actors"
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
	format uint32 // in which states are written

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

func (w *World) handle(a *activation, m actors.Message, reply func(actors.Message, error)) {
	before := bytes.Clone(a.state.Encoded())
	turn, err := w.kinds[a.ref.Kind].Step(a.state, actors.Input{ID: a.ref.ID, Now: epoch.Add(w.now), Message: m, Format: w.format})
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

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
