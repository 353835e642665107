package cluster

import (
	"context"
	"fmt"
	"sort"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// nodeCall answers what is asked of this node itself.
func (n *Node) nodeCall(from peer.Identity, e *messages.Envelope, answer func(*messages.Reply)) {
	m, err := decode(e.GetMethod(), e.GetPayload())
	if err != nil {
		n.say(answer, nil, err)
		return
	}
	deadline := time.Now().Add(DefaultDeadline)
	if ms := e.GetTimeoutMs(); ms > 0 {
		deadline = time.Now().Add(time.Duration(ms) * time.Millisecond)
	}
	n.about(m, from.Role == peer.RoleClient, deadline, func(m proto.Message, err error) { n.say(answer, m, err) })
}

// about answers a question about this node, or does what is asked of it. A
// foreigner, who is no node, may only look.
func (n *Node) about(m proto.Message, foreign bool, deadline time.Time, then func(proto.Message, error)) {
	switch m := m.(type) {
	case *messages.GetNodeStatus:
		then(n.status(), nil)
		return
	case *messages.GetWhereabouts:
		then(n.whereabouts(actors.Ref{Kind: m.GetKind(), ID: m.GetId()}), nil)
		return
	}
	if foreign {
		then(nil, fmt.Errorf("only a node may ask %s of a node: %w", nameOf(m), messages.Denied))
		return
	}
	switch m := m.(type) {
	case *messages.WatchGrains:
		then(n.watches.watched(m), nil)
	case *messages.GetBoard:
		n.hosts.sayBoard(m, then)
	case *messages.CopyGrain:
		go func() { then(&messages.Done{}, n.copies.add(m)) }() // to sort rows in takes a while
	case *messages.DrainNode:
		go n.drainFor(deadline, then)
	case *messages.LeaveNode:
		if n.config.OnLeave == nil {
			then(nil, fmt.Errorf("this node cannot be told to leave: %w", messages.Invalid))
			return
		}
		then(&messages.Done{}, nil)
		go n.config.OnLeave()
	default:
		n.answerSoon(m, deadline, then)
	}
}

func (n *Node) drainFor(deadline time.Time, then func(proto.Message, error)) {
	if n.net == nil {
		then(nil, fmt.Errorf("there is no other node: %w", messages.Conflict))
		return
	}
	ctx, cancel := context.WithDeadline(n.ctx, deadline)
	defer cancel()
	then(&messages.Done{}, n.Drain(ctx))
}

// status is what this node is and does.
func (n *Node) status() *messages.NodeStatus {
	stats := n.client.Stats()
	s := &messages.NodeStatus{
		Member: &messages.Member{Name: n.config.Name}, Actors: stats.Actors, Waiting: stats.Waiting,
		InFlight: stats.InFlight, Commits: stats.Commits, Stale: stats.Stale, Driving: stats.Driving,
		Held: n.held.many.Load(), Releasing: int64(n.releases.count()), Leased: true,
		Watched: int64(n.watches.hub.Len()),
	}
	if n.net == nil {
		s.Peers = []string{n.config.Name}
		return s
	}
	r, now := n.routing.Load(), time.Now()
	s.Member, s.ViewIndex = toMember(n.net.Self()), r.view.Index
	s.StableIndex, _ = n.net.Stable()
	s.Leased = n.net.Leased(now)
	s.LeaseLeftMs = int64(sort.Search(int(time.Minute/time.Millisecond), func(ms int) bool {
		return !n.net.Leased(now.Add(time.Duration(ms) * time.Millisecond))
	}))
	for _, m := range r.view.Members {
		s.Peers = append(s.Peers, m.Name)
	}
	return s
}

func toMember(m view.Member) *messages.Member {
	return &messages.Member{
		Id: m.ID, Name: m.Name, Address: m.Address, Api: m.API, Roles: uint32(m.Roles), Hosts: m.Hosts,
		Epoch: m.Epoch, Leaving: m.Leaving, Version: m.Version, Protocol: m.Protocol,
		MinProtocol: m.MinProtocol, StartedUnixMs: m.Started.UnixMilli(),
	}
}

// whereabouts says where a grain is, as far as this node knows.
func (n *Node) whereabouts(ref actors.Ref) *messages.Whereabouts {
	w := &messages.Whereabouts{Node: n.config.Name, Active: n.lookup.active(ref)}
	if n.net == nil {
		return w
	}
	r := n.routing.Load()
	owner, _ := r.owner(ref)
	w.Node, w.MemberId, w.ViewIndex = owner.Name, owner.ID, r.view.Index
	w.Waiting = r.admit(ref) == errSettling
	return w
}
