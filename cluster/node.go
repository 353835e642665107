package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	protocluster "github.com/asynkron/protoactor-go/cluster"
	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

var errStopping = fmt.Errorf("the node is stopping: %w", messages.Unavailable)

// Node runs grains: one member of the cluster, one process.
type Node struct {
	config  Config
	store   store.Store
	log     zerolog.Logger
	commits zerolog.Logger // sampled
	net     Network        // nil: this process is the whole cloud
	workers *workers
	system  *actor.ActorSystem
	member  *protocluster.Cluster
	lookup  *lookup
	hosts   *hosts
	room    room // of a batch
	client  *Client
	watches *watches
	foreign foreign
	formats formats
	front   atomic.Pointer[Front] // nil until it can answer clients
	fronted atomic.Int64          // calls that it works on

	ctx       context.Context // ends when background work must
	cancel    context.CancelFunc
	tasks     sync.WaitGroup
	resweep   chan struct{}
	viewSwept atomic.Bool   // since the view changed
	leaving   atomic.Bool   // Stop has begun
	stopping  atomic.Bool   // nothing is asked any more
	epoch     atomic.Uint32 // a clock of quarters of the idle time-out

	ids       atomic.Pointer[string]  // prefix of activation and request ids, unique to this membership
	routing   atomic.Pointer[routing] // nil without net
	following sync.Mutex              // held while the routing is replaced
	news      chan struct{}           // told when there is a newer view
	held      held
	releases  releases
	copies    *copies
	colds     chan struct{} // slots of those who read cold rows
	probers   chan struct{} // slots of those who look at endpoints
	probing   atomic.Int64  // endpoints that are looked at, or wait for it
	askers    chan struct{} // slots of grains that ask others

	counters
}

// idleQuarters is how many epochs a grain must be idle to be passivated.
const idleQuarters = 4

// Start runs a node until Stop; the context bounds only the start. It returns at
// once; work that was interrupted goes on by itself.
func Start(_ context.Context, config Config) (*Node, error) {
	config, err := config.validated()
	if err != nil {
		return nil, err
	}
	n := &Node{
		config: config, store: config.Store,
		log: config.Log.With().Str("node", config.Name).Logger(),
		net: config.Network, resweep: make(chan struct{}, 1), workers: newWorkers(),
		news: make(chan struct{}, 1), room: roomIn(config.Store), colds: make(chan struct{}, coldReads), probers: make(chan struct{}, probes),
		askers: make(chan struct{}, asksAtOnce),
	}
	n.ids.Store(newPrefix())
	n.viewSwept.Store(true)
	n.held.node = n
	n.commits = sampled(n.log)
	n.quiet, n.empty = make(chan struct{}, 1), make(chan struct{}, 1)
	n.ctx, n.cancel = context.WithCancel(context.Background())
	if n.lookup, err = newLookup(n, config.Kinds); err != nil {
		return nil, err
	}
	n.copies = newCopies(n.lookup.kinds)
	n.system = newSystem(n.log)
	if n.member, err = newMember(n); err != nil {
		return nil, fmt.Errorf("join the cluster: %w", err)
	}
	n.hosts = newHosts(n)
	n.client = &Client{node: n}
	n.foreign.node, n.watches = n, newWatches(n)
	n.tasks.Go(n.watches.tell)
	n.tasks.Go(n.watches.subscribe)
	n.tasks.Go(n.passivateIdle)
	n.tasks.Go(n.sweepLoop)
	if n.net == nil {
		n.wakeUnsettled()
		return n, nil
	}
	n.join()
	return n, nil
}

// join becomes one of several nodes.
func (n *Node) join() {
	n.releases.say = n.net.Released
	n.routing.Store(&routing{view: view.New(0, nil), changed: make(chan struct{})})
	n.net.Attach(n)
	n.tasks.Go(n.follow)
}

// Client is how to reach grains.
func (n *Node) Client() *Client { return n.client }

// Stop leaves in order: the other nodes are prepared, operations of drivers are
// broken off (they resume at the next start, or on the next node), grains are handed
// over, no new asks, messages between grains come to rest, commits finish, every
// grain is passivated. An error says what remained when ctx ended.
func (n *Node) Stop(ctx context.Context) error {
	if n.leaving.Swap(true) {
		return nil
	}
	n.part(ctx)
	err := n.hosts.stop(ctx)
	if n.net != nil {
		leave, cancel := context.WithTimeout(ctx, n.config.LeaveTimeout)
		err = errors.Join(err, n.net.Leave(leave))
		cancel()
	}
	n.stopping.Store(true)
	n.watches.hub.Close()
	n.cancel()
	n.drain(ctx)
	n.held.flush()
	for _, g := range n.lookup.close() {
		n.system.Root.Send(g.pid, retire{errStopping})
	}
	err = errors.Join(err, n.awaitEmpty(ctx), wait(ctx, &n.tasks, "background work"))
	n.copies.close()
	n.system.Shutdown()
	n.workers.stop()
	return err
}

// drain waits until no message waits and no commit is under way.
func (n *Node) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, n.config.DrainTimeout)
	defer cancel()
	for n.busy.Load() > 0 {
		select {
		case <-n.quiet:
		case <-ctx.Done():
			n.log.Warn().Int64("waiting", n.busy.Load()).Msg("stopped before all messages came to rest")
			return
		}
	}
}

func (n *Node) awaitEmpty(ctx context.Context) error {
	for n.live.Load() > 0 {
		select {
		case <-n.empty:
		case <-ctx.Done():
			return fmt.Errorf("%d grains did not stop in time: %w", n.live.Load(), messages.Unavailable)
		}
	}
	return nil
}

// wait waits for a group, but not longer than ctx.
func wait(ctx context.Context, group *sync.WaitGroup, what string) error {
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s did not end in time: %w", what, messages.Unavailable)
	}
}

// passivateIdle sends away, four times per idle time-out, who was idle for one.
func (n *Node) passivateIdle() {
	ticker := time.NewTicker(max(n.config.IdleTimeout/idleQuarters, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-ticker.C:
		}
		if epoch := n.epoch.Add(1); epoch > idleQuarters {
			for _, g := range n.lookup.idle(epoch - idleQuarters - 1) {
				n.system.Root.Send(g.pid, passivate{})
			}
		}
	}
}
