package cluster

import (
	"crypto/rand"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/view"
)

// newPrefix begins the ids of one start, or of one membership.
func newPrefix() *string {
	p := strings.ToLower(rand.Text()[:10]) + "-"
	return &p
}

func (n *Node) prefix() string { return *n.ids.Load() }

// admit says whether this node may activate a grain: nil, errElsewhere,
// errSettling or errUnleased.
func (n *Node) admit(ref actors.Ref) error {
	if n.net == nil {
		return nil
	}
	if err := n.routing.Load().admit(ref); err != nil {
		return err
	}
	if !n.net.Leased(time.Now()) {
		return errUnleased
	}
	return nil
}

// mine says whether a grain is this node's.
func (n *Node) mine(ref actors.Ref) bool { return n.net == nil || n.routing.Load().mine(ref) }

// leased says whether nobody can have taken over what is this node's.
func (n *Node) leased(now time.Time) bool { return n.net == nil || n.net.Leased(now) }

// OnView tells of a newer view; see Shell.
func (n *Node) OnView(*view.View) { signal(n.news) }

// OnJoined tells that this process is a member again; see Shell.
func (n *Node) OnJoined(self view.Member) {
	n.ids.Store(newPrefix())
	n.log.Info().Str("member", self.ID).Msg("a member again")
	signal(n.news)
}

// OnFenced drops every activation at once; see Shell. What they hold in memory
// may be old, and what they have under way may fail: their askers ask again.
func (n *Node) OnFenced(reason error) {
	n.log.Warn().Err(reason).Msg("no member any more: everything in memory is dropped")
	n.following.Lock()
	defer n.following.Unlock()
	old := n.routing.Load()
	n.releases.forget()
	n.replace(&routing{view: old.view, self: old.self, fenced: true, changed: make(chan struct{})})
	for _, g := range n.lookup.expel(fencedOff, func(actors.Ref) bool { return true }) {
		n.system.Root.Send(g.pid, drop{})
	}
	n.hosts.own(func(string) bool { return false })
	n.watches.table.Restamp(*newPrefix())
}

// follow keeps up with the views until the node stops.
func (n *Node) follow() {
	for {
		_, changed := n.net.Stable()
		n.update()
		select {
		case <-n.ctx.Done():
			return
		case <-n.news:
		case <-changed:
		}
	}
}

// update acts on the newest view: what is another's now is sent away, what
// waited may come to its turn.
func (n *Node) update() {
	n.following.Lock()
	defer n.following.Unlock()
	v, self := n.net.View(), n.net.Self().ID
	old := n.routing.Load()
	if v == nil || !v.Has(self) || old.fenced && old.self == self {
		return // there is nothing to be done but to wait
	}
	stable, _ := n.net.Stable()
	r := old.next(v, self, stable)
	if r.same(old) {
		return
	}
	n.formats.see(v, time.Now())
	n.replace(r)
	if fresh := v.Index != old.view.Index || old.self != self || old.fenced; fresh {
		n.handOver(r)
		n.showMembers(v)
	}
	if r.settled && !old.settled {
		n.log.Debug().Uint64("view", v.Index).Int("members", len(v.Members)).Msg("the view is stable")
	}
	n.held.flush()
	n.sweepView()
}

func (n *Node) replace(r *routing) {
	close(n.routing.Swap(r).changed)
}

// handOver sends away what is another node's under r. They finish what is in
// flight; when the last has, the others may have them.
func (n *Node) handOver(r *routing) {
	for _, g := range n.lookup.expel(movedAway, func(ref actors.Ref) bool { return !r.mine(ref) }) {
		n.system.Root.Send(g.pid, retire{errElsewhere})
	}
	n.hosts.own(func(name string) bool { return r.mine(actors.Ref{Kind: hostKind, ID: name}) })
	n.watches.table.Drop(func(ref actors.Ref) bool { return !r.mine(ref) })
	signal(n.watches.renew)
	n.releases.sent(r.view.Index)
}
