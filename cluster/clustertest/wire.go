package clustertest

import (
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// exchange is one call under way.
type exchange struct {
	world  *World
	from   string // name
	to     string // member id
	toName string
	once   sync.Once
	answer func(*messages.Reply, error) // nil: a tell
}

// end ends x with its answer or an error; only the first counts. Not under w.mu.
func (x *exchange) end(r *messages.Reply, err error) {
	x.once.Do(func() {
		x.world.mu.Lock()
		delete(x.world.pending, x)
		x.world.mu.Unlock()
		if x.answer != nil {
			x.answer(r, err)
		}
	})
}

// lose lists the pending exchanges that which picks. Called under w.mu.
func (w *World) lose(which func(*exchange) bool) (lost []*exchange) {
	for x := range w.pending {
		if which(x) {
			lost = append(lost, x)
		}
	}
	return lost
}

func fail(lost []*exchange) {
	for _, x := range lost {
		x.end(nil, peer.ErrBroken)
	}
}

// Send is cluster.Network's.
func (n *Net) Send(to view.Member, e *messages.Envelope, answer func(*messages.Reply, error)) {
	w := n.world
	x := &exchange{world: w, from: n.name, to: to.ID, toName: to.Name, answer: answer}
	crossing := clone(e)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count(e)
	target := w.nets[to.Name]
	switch {
	case w.closed:
		return
	case n.dead:
		w.later(0, func() { x.end(nil, peer.ErrStopped) })
		return
	case target == nil || target.dead || target.shell == nil:
		w.later(0, func() { x.end(nil, peer.ErrRefused) })
		return
	case target.self.ID != to.ID:
		w.later(0, func() { x.end(nil, peer.ErrNotMe) })
		return
	}
	if answer != nil {
		w.pending[x] = struct{}{}
	}
	w.cross(link{n.name, to.Name}, x, func() {
		target.shell.Call(n.identity(), crossing, target.replier(x, e.GetTell()))
		if e.GetTell() {
			x.end(nil, nil)
		}
	})
}

// replier sends an answer back.
func (n *Net) replier(x *exchange, tell bool) func(*messages.Reply) {
	if tell {
		return nil
	}
	return func(r *messages.Reply) {
		crossing := clone(r)
		w := n.world
		w.mu.Lock()
		defer w.mu.Unlock()
		w.count(r)
		w.cross(link{n.name, x.from}, x, func() { x.end(crossing, nil) })
	}
}

// cross carries one message over a link: late, not at all, or to its end.
// Called under w.mu.
func (w *World) cross(l link, x *exchange, arrive func()) {
	if w.cuts[l] {
		w.later(w.config.Timings.Silence, func() { x.end(nil, peer.ErrBroken) })
		return
	}
	if w.rand.Float64() < w.config.Loss {
		w.later(w.between(w.config.Delay), func() { x.end(nil, peer.ErrBroken) })
		if w.rand.IntN(2) == 0 {
			return
		}
	}
	source := w.nets[l.from]
	leave := func() { w.arrive(l.to, arrive) }
	if source != nil && source.paused {
		source.inbox = append(source.inbox, leave)
		return
	}
	w.later(w.between(w.config.Delay), leave)
}

// arrive delivers to a node now, or when it wakes.
func (w *World) arrive(name string, deliver func()) {
	w.mu.Lock()
	n := w.nets[name]
	switch {
	case n == nil || n.dead:
		w.mu.Unlock()
		return
	case n.paused:
		n.inbox = append(n.inbox, deliver)
		w.mu.Unlock()
		return
	}
	w.mu.Unlock()
	deliver()
}

func (n *Net) identity() peer.Identity {
	n.world.mu.Lock()
	defer n.world.mu.Unlock()
	return peer.Identity{Role: peer.RoleNode, Name: n.name, Member: n.self.ID}
}

// Notify is cluster.Network's.
func (n *Net) Notify(to view.Member, m *messages.Notice) {
	w, crossing := n.world, clone(m)
	from := n.identity()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count(m)
	target := w.nets[to.Name]
	if n.dead || target == nil || target.self.ID != to.ID || w.closed {
		return
	}
	w.cross(link{n.name, to.Name}, &exchange{world: w}, func() { target.shell.Notice(from, crossing) })
}

// Push is cluster.Network's; there are no clients here.
func (n *Net) Push(uint64, *messages.Notice) error { return peer.ErrUnreachable }

func (w *World) count(m proto.Message) {
	w.traffic.Messages++
	w.traffic.Bytes += int64(proto.Size(m))
}

// clone is what the other end reads: nothing is shared.
func clone[M proto.Message](m M) M { return proto.Clone(m).(M) }
