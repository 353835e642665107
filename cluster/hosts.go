package cluster

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/board"
	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

// hostKind is the kind of the grains that stand for hypervisors.
const hostKind = "host"

const (
	consoleTimeout = 10 * time.Second
	consoleReads   = 16 // at once, on this node
	discardTimeout = time.Minute
	discards       = 4 // at once
)

// hosts is where this node's grains meet the world: the drivers attached here,
// the operations they are at, and the facts their hosts have published.
type hosts struct {
	node     *Node
	board    *board.Board
	replicas board.Replicas // of the boards of other nodes
	driving  atomic.Int64
	slots    chan struct{} // one for every operation of the node
	consoles chan struct{}
	discards chan struct{}

	ctx    context.Context // ends when operations are to be broken off
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu       sync.RWMutex
	closed   bool
	attached map[string]*host
	unheard  int           // of the attached
	changed  chan struct{} // closed, and made anew, when one was heard
	started  time.Time
	listed   chan struct{} // told when attached has changed
}

// hostsGrace is how long after the start queries wait for hosts that are not
// attached yet, or have not said what they have: work that was interrupted goes
// on before they do, and would find no host.
const hostsGrace = 5 * time.Second

// host is one attached driver.
type host struct {
	hosts  *hosts
	name   string
	zone   string
	driver drivers.Driver
	heard  bool        // what it has, or that it is lost; under hosts.mu
	own    atomic.Bool // its grain is this node's
	slots  chan struct{}
	resync chan struct{} // told when the grain must hear everything again

	ctx    context.Context // ends when it is detached
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu     sync.Mutex
	lanes  map[string]*lane // by instance
	driven orders

	// facts is held for reading while one domain is looked at and told of, and
	// for writing while all are: what is told later was seen later.
	facts sync.RWMutex
}

// orders remembers the newest order that was driven for an instance, for the
// last many instances.
type orders struct{ young, old map[string]uint64 }

const maxOrders = 50_000 // in each of the two generations

// newest says whether no newer order than this one was driven, and remembers it.
func (o *orders) newest(instance string, order uint64) bool {
	if order < max(o.young[instance], o.old[instance]) {
		return false
	}
	if len(o.young) >= maxOrders || o.young == nil {
		o.young, o.old = map[string]uint64{}, o.young
	}
	o.young[instance] = order
	return true
}

// reconcile has a host grain told again what its hypervisor is and has; or that it
// is not here: then the grain's node is not in the cloud, and this one keeps its house.
func (h *hosts) reconcile(name string) {
	if a := h.find(name); a != nil {
		signal(a.resync)
	} else if h.node.net != nil {
		h.exiled(name)
		if a := h.find(name); a != nil { // it has come meanwhile, and what was said comes too late
			signal(a.resync)
		}
	}
}

// left notes that a host's activation has left this node: it is nobody's candidate
// here any more. If its driver stays, the next activation hears everything anew.
func (h *hosts) left(name string) {
	h.board.Remove(name)
	if a := h.find(name); a != nil {
		signal(a.resync)
	}
}

// memberEpochs is above every epoch of a cloud of one process: one that becomes a
// cluster goes on to drive its hypervisors.
const memberEpochs = 1 << 32

// epoch is of the node's present registration.
func (h *hosts) epoch() uint64 {
	switch n := h.node; {
	case n.net != nil:
		return memberEpochs + n.net.Self().Epoch
	case n.config.Epoch != nil:
		return n.config.Epoch()
	}
	return 1
}

func newHosts(n *Node) *hosts {
	h := &hosts{
		node: n, board: board.New(n.prefix()), attached: map[string]*host{}, changed: make(chan struct{}), started: time.Now(),
		slots:    make(chan struct{}, n.config.NodeOps),
		consoles: make(chan struct{}, consoleReads),
		discards: make(chan struct{}, discards), listed: make(chan struct{}, 1),
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	if n.net != nil {
		h.tasks.Go(h.announce)
	}
	return h
}

// AttachHost makes this node the one that drives a hypervisor: its host grain
// hears what the driver reports, and its orders go to the driver. The grain
// exists, and stays, from the driver's first connection on. The driver belongs
// to the caller, who closes it after Stop.
func (n *Node) AttachHost(name, zone string, d drivers.Driver) error {
	h := n.hosts
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case name == "" || d == nil:
		return fmt.Errorf("a host needs a name and a driver: %w", messages.Invalid)
	case h.closed:
		return errStopping
	case h.attached[name] != nil:
		return fmt.Errorf("host %s is attached already: %w", name, messages.Conflict)
	case n.lookup.kinds[hostKind] == nil:
		return fmt.Errorf("this node has no kind %q: %w", hostKind, messages.Invalid)
	}
	a := &host{
		hosts: h, name: name, zone: zone, driver: d,
		slots: make(chan struct{}, n.config.HostOps), resync: make(chan struct{}, 1),
		lanes: map[string]*lane{},
	}
	a.ctx, a.cancel = context.WithCancel(h.ctx)
	a.own.Store(n.net == nil || n.routing.Load().mine(hostRef(name)))
	h.attached[name] = a
	h.unheard++
	a.tasks.Add(1)
	h.tasks.Go(func() {
		defer a.tasks.Done()
		a.watch()
	})
	signal(h.listed)
	return nil
}

func hostRef(name string) actors.Ref { return actors.Ref{Kind: hostKind, ID: name} }

func (h *hosts) find(name string) *host {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.attached[name]
}

// pins says whether a grain must stay in memory.
func (h *hosts) pins(ref actors.Ref) bool {
	return ref.Kind == hostKind && !h.node.stopping.Load() && h.find(ref.ID) != nil
}

// stop breaks off what runs and waits for it. Nobody is told of outcomes: the
// orders still stand in the state.
func (h *hosts) stop(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	h.cancel()
	return wait(ctx, &h.tasks, "driver operations")
}

// begin runs work that Stop waits for; false if the node stops.
func (h *hosts) begin(work func()) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if h.closed {
		return false
	}
	h.tasks.Go(work)
	return true
}

// hear notes that a host grain knows how its hypervisor is.
func (h *hosts) hear(a *host) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a.heard {
		return
	}
	a.heard = true
	if h.unheard--; h.unheard == 0 {
		close(h.changed)
		h.changed = make(chan struct{})
	}
}

// console answers c with the end of a domain's console.
func (h *hosts) console(name string, e actors.ReadConsole, c *call) {
	a := h.find(name)
	began := a != nil && h.begin(func() {
		ctx, cancel := context.WithTimeout(h.ctx, consoleTimeout)
		defer cancel()
		if !acquire(ctx, h.consoles) {
			c.reply(nil, fmt.Errorf("too many read consoles: %w", messages.Unavailable))
			return
		}
		defer release(h.consoles)
		var out []byte
		err := guard(func() (err error) {
			out, err = a.driver.Console(ctx, e.Instance, e.MaxBytes)
			return err
		})
		c.reply(&messages.ConsoleView{Output: out}, err)
	})
	if !began {
		c.reply(nil, fmt.Errorf("host %s is not connected: %w", name, messages.Unavailable))
	}
}

// discard removes content that no image refers to.
func (n *Node) discard(sha256 string) {
	if n.config.Discard == nil {
		return
	}
	n.hosts.begin(func() {
		ctx, cancel := context.WithTimeout(n.hosts.ctx, discardTimeout)
		defer cancel()
		if !acquire(ctx, n.hosts.discards) {
			return
		}
		defer release(n.hosts.discards)
		err := guard(func() error { return n.config.Discard(ctx, sha256) })
		if err != nil && n.hosts.ctx.Err() == nil {
			n.log.Warn().Err(err).Str("sha256", sha256).Msg("content could not be discarded")
		}
	})
}

// post sends the grain a message; then is called once it was taken or not.
func (a *host) post(m proto.Message, then func(error)) error {
	return a.hosts.node.deliverHere(&call{
		to: hostRef(a.name), message: m, patient: true,
		answer: func(_ proto.Message, err error) { then(err) },
	})
}

func isUnavailable(err error) bool {
	return messages.KindOf(err) == messages.ErrorKind_ERROR_KIND_UNAVAILABLE
}

func acquire(ctx context.Context, slots chan struct{}) bool {
	select {
	case slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func release(slots chan struct{}) { <-slots }

// guard turns a panic of a driver into an error. The stack is for the log: what
// the instance hears is only that it happened.
func guard(work func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			told := &messages.Refusal{Kind: messages.Internal, Sentence: "the driver panicked"}
			err = fmt.Errorf("%w: %v\n%s", told, p, stack())
		}
	}()
	return work()
}
