package cluster

import (
	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/view"
)

// exileKind is hashed for a host whose node is not in the cloud: its grain lives
// where any other would, without a driver.
const exileKind = "host in exile"

// maxPast is how many views without a stable one among them are remembered.
const maxPast = 64

// routing is what a node believes under one view: who owns what, and what it may
// activate now. It is never changed, only replaced.
type routing struct {
	view    *view.View // empty before the first
	self    string     // member id
	fenced  bool       // no member any more: nothing is its own
	settled bool       // everybody has come to this view
	based   bool       // past begins with a view that was stable
	past    []*view.View
	changed chan struct{} // closed when this is replaced
}

// The hand-over barrier: under a view that is not stable yet, a member may
// activate only what has been its own in every view since the last stable one.
// Anything else may still live with somebody who has not seen the new view.

// next is the routing after one more look at the network.
func (r *routing) next(v *view.View, self string, stable uint64) *routing {
	n := &routing{view: v, self: self, settled: v.Index == stable, based: r.based, past: r.past, changed: make(chan struct{})}
	switch {
	case self != r.self || r.fenced:
		n.past, n.based = nil, false // nothing that an earlier start owned counts
	case v.Index != r.view.Index:
		n.past = append(append([]*view.View{}, r.past...), r.view)
	}
	if len(n.past) > maxPast {
		n.past, n.based = nil, false // only a stable view helps
	}
	for i, p := range n.past {
		if p.Index == stable && stable > 0 {
			n.past, n.based = n.past[i:], true
			break
		}
	}
	if n.settled {
		n.past, n.based = nil, true
	}
	return n
}

// same says whether nothing would be different under o.
func (r *routing) same(o *routing) bool {
	return r.view.Index == o.view.Index && r.self == o.self && r.settled == o.settled && r.fenced == o.fenced &&
		r.based == o.based && len(r.past) == len(o.past)
}

// owner is the member that a grain lives on.
func (r *routing) owner(ref actors.Ref) (view.Member, bool) {
	m, ok := r.view.Owner(ref)
	if !ok && ref.Kind == hostKind {
		return r.view.Owner(actors.Ref{Kind: exileKind, ID: ref.ID})
	}
	return m, ok
}

// mine says whether this node is the owner.
func (r *routing) mine(ref actors.Ref) bool { return !r.fenced && owns(r.view, r.self, ref) }

func owns(v *view.View, self string, ref actors.Ref) bool {
	if ref.Kind == hostKind {
		if m, ok := v.Owner(ref); ok {
			return m.ID == self
		}
		ref.Kind = exileKind
	}
	return v.Owns(self, ref)
}

// admit says whether this node may activate a grain: nil, errElsewhere, or
// errSettling for what it may have to wait for.
func (r *routing) admit(ref actors.Ref) error {
	switch {
	case !r.mine(ref):
		return errElsewhere
	case r.settled:
		return nil
	case !r.based:
		return errSettling
	}
	for _, v := range r.past {
		if !owns(v, r.self, ref) {
			return errSettling
		}
	}
	return nil
}
