package cluster

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/cluster/watch"
	"github.com/troupe-cloud/troupe/messages"
)

// watchTopic is the topic of notices about grains that have changed.
const watchTopic = "watch"

const (
	notifyPause   = 10 * time.Millisecond // between two batches of notices: what comes meanwhile goes together
	subscribeTime = 1500 * time.Millisecond
)

// watches is both sides of watching: what others watch here, and what this node
// watches for its own.
type watches struct {
	node  *Node
	table *watch.Table
	hub   *watch.Hub
	said  chan struct{} // told when the table has something to say
	fresh chan struct{} // told when there are grains to subscribe to
	renew chan struct{} // told when owners may have changed
}

func newWatches(n *Node) *watches {
	w := &watches{node: n, said: make(chan struct{}, 1), fresh: make(chan struct{}, 1), renew: make(chan struct{}, 1)}
	w.table = watch.NewTable(n.prefix(), func() { signal(w.said) })
	w.hub = watch.NewHub(n.ctx, &n.tasks, n.client.Ask, func() { signal(w.fresh) })
	return w
}

// Watch answers get now and whenever the grain has changed, until ctx ends and
// the channel is closed; that happens too when the node stops. Who reads slowly
// misses states, but never the last one. However many watch on this node, the
// grain is asked once.
func (c *Client) Watch(ctx context.Context, ref actors.Ref, get proto.Message) (<-chan watch.Change, error) {
	return c.node.watches.hub.Watch(ctx, ref, get)
}

// tell says what has changed to those who watch.
func (w *watches) tell() {
	for {
		select {
		case <-w.node.ctx.Done():
			return
		case <-w.said:
		}
		for member, changed := range w.table.Outbox() {
			w.notify(member, changed)
		}
		if !sleep(w.node.ctx, notifyPause) {
			return
		}
	}
}

func (w *watches) notify(member string, changed []*messages.GrainVersion) {
	if member == w.node.memberID() {
		for _, g := range changed {
			w.hub.Heard(g)
		}
		return
	}
	to, ok := w.node.routing.Load().view.ByID(member)
	for len(changed) > 0 && ok {
		some := changed[:min(len(changed), watch.MaxBatch)]
		changed = changed[len(some):]
		m := &messages.GrainsChanged{Grains: some}
		if payload, err := proto.Marshal(m); err == nil {
			w.node.net.Notify(to, &messages.Notice{Topic: watchTopic, Method: nameOf(m), Payload: payload})
		}
	}
}

// subscribe keeps this node subscribed to what is watched on it.
func (w *watches) subscribe() {
	ticker := time.NewTicker(watch.RenewEvery)
	defer ticker.Stop()
	for {
		select {
		case <-w.node.ctx.Done():
			return
		case <-w.fresh:
			w.ask(w.hub.Fresh())
		case <-w.renew:
			w.ask(w.hub.All())
		case now := <-ticker.C:
			w.table.Expire(now)
			w.ask(w.hub.All())
		}
	}
}

// ask asks the owners of grains, each in one message, whether they are as they
// were last heard of, and to be told from now on.
func (w *watches) ask(grains []*messages.GrainVersion) {
	if len(grains) == 0 {
		return
	}
	n := w.node
	if n.net == nil {
		w.heard(w.watched(&messages.WatchGrains{MemberId: n.memberID(), LeaseMs: watch.Lease.Milliseconds(), Grains: grains}))
		return
	}
	r := n.routing.Load()
	byOwner := map[string][]*messages.GrainVersion{}
	for _, g := range grains {
		if owner, ok := r.owner(actors.Ref{Kind: g.GetKind(), ID: g.GetId()}); ok {
			byOwner[owner.ID] = append(byOwner[owner.ID], g)
		}
	}
	var asks sync.WaitGroup
	for id, all := range byOwner {
		owner, _ := r.view.ByID(id)
		asks.Go(func() { w.askOwner(owner, all) })
	}
	asks.Wait()
}

func (w *watches) askOwner(owner view.Member, grains []*messages.GrainVersion) {
	ctx, cancel := context.WithTimeout(w.node.ctx, subscribeTime)
	defer cancel()
	for len(grains) > 0 {
		some := grains[:min(len(grains), watch.MaxBatch)]
		grains = grains[len(some):]
		got, err := w.node.askMember(ctx, owner, &messages.WatchGrains{
			MemberId: w.node.memberID(), LeaseMs: watch.Lease.Milliseconds(), Grains: some,
		})
		m, ok := got.(*messages.GrainsWatched)
		if err != nil || !ok {
			return // the next renewal asks again
		}
		w.heard(m)
	}
}

func (w *watches) heard(m *messages.GrainsWatched) {
	for _, g := range m.GetChanged() {
		w.hub.Heard(g)
	}
}

// watched notes who watches grains of this node, and says which of them are not
// as the watcher knows them. What is not in memory is loaded, to know its version.
func (w *watches) watched(m *messages.WatchGrains) *messages.GrainsWatched {
	answer := &messages.GrainsWatched{}
	until := time.Now().Add(time.Duration(m.GetLeaseMs()) * time.Millisecond)
	for _, g := range m.GetGrains() {
		ref := actors.Ref{Kind: g.GetKind(), ID: g.GetId()}
		if !w.node.mine(ref) {
			continue
		}
		now := w.table.Watch(m.GetMemberId(), until, ref)
		if now.GetUnknown() {
			w.load(ref)
		}
		if now.GetUnknown() || !watch.Same(now, g) {
			answer.Changed = append(answer.Changed, now)
		}
	}
	return answer
}

// load makes the table know a grain's version: a grain says so when it comes into
// memory, and one that is there is asked to.
func (w *watches) load(ref actors.Ref) {
	_ = w.node.deliver(&call{to: ref}) // failed: the next renewal tries again
}

// Notice takes what another process only mentions; see Shell.
func (n *Node) Notice(from peer.Identity, m *messages.Notice) {
	switch {
	case m.GetTopic() != watchTopic:
	case from.Role == peer.RoleClient:
		n.foreign.notice(from, m)
	default:
		changed := &messages.GrainsChanged{}
		if proto.Unmarshal(m.GetPayload(), changed) == nil {
			for _, g := range changed.GetGrains() {
				n.watches.hub.Heard(g)
			}
		}
	}
}

// Gone ends what a stream has begun; see Shell.
func (n *Node) Gone(from peer.Identity) { n.foreign.gone(from.Stream) }

// memberID is this member's, or the node's name where there are no others.
func (n *Node) memberID() string {
	if n.net == nil {
		return n.config.Name
	}
	return n.routing.Load().self
}
