package service

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// memo is the answer of GetService to one state, made when somebody asks: however
// many nodes ask, it is made once. What was answered last is the base of the next
// answer, so that a change of a large service costs no sorting of all of it. Only
// view is ever set, and always to the same: a Step that reads it stays pure.
type memo struct {
	base  []*messages.Endpoint // in order
	since *since               // addresses that have changed over base
	n     int
	whole bool // base is worth nothing
	view  atomic.Pointer[messages.Service]
}

type since struct {
	e    *messages.Endpoint
	next *since
}

// changed is the memo of the state after some addresses have changed.
func (m *memo) changed(touched []*messages.Endpoint) *memo {
	next := &memo{base: m.base, since: m.since, n: m.n, whole: m.whole}
	if v := m.view.Load(); v != nil {
		next.base, next.since, next.n, next.whole = v.Endpoints, nil, 0, false
	}
	if next.n += len(touched); next.n > 64+len(next.base)/4 {
		next.whole = true
	}
	if next.whole {
		next.base, next.since, next.n = nil, nil, 0
		return next
	}
	for _, e := range touched {
		next.since = &since{e, next.since}
	}
	return next
}

func get(s State, m *messages.GetService) (State, []actors.Effect, error) {
	if !s.exists() {
		return s, nil, absent(s.live.id)
	}
	v := s.live.memo.view.Load()
	switch {
	case m.WithoutEndpoints:
		v = s.service(nil)
	case v == nil:
		v = s.service(s.live.list())
		s.live.memo.view.Store(v)
	}
	return s, []actors.Effect{actors.Reply{Message: v}}, nil
}

func absent(id string) error { return fmt.Errorf("service %s is not found: %w", id, messages.NotFound) }

func (s State) service(endpoints []*messages.Endpoint) *messages.Service {
	k, l := s.kept, s.live
	return &messages.Service{
		Namespace: k.namespace, Group: k.group, Name: k.name, Persistent: k.Persistent, ProtectThreshold: k.ProtectThreshold,
		Metadata: k.Metadata, Selector: k.Selector, Clusters: k.Clusters, Revision: l.rev, Endpoints: endpoints,
		EndpointCount: int32(l.shown), HealthyCount: int32(l.healthy), ClusterCount: int32(len(l.clusters)), CreatedAt: k.CreatedAt,
	}
}

// list is everything that is shown, in order.
func (l *live) list() []*messages.Endpoint {
	m := l.memo
	all := make([]*messages.Endpoint, 0, l.shown)
	if m.whole {
		for p := range l.places.all {
			all = append(all, p.shown())
		}
		slices.SortFunc(all, byAddress)
		return all
	}
	touched := make([]*messages.Endpoint, 0, m.n)
	for c := m.since; c != nil; c = c.next {
		touched = append(touched, c.e)
	}
	slices.SortFunc(touched, byAddress)
	touched = slices.CompactFunc(touched, func(a, b *messages.Endpoint) bool { return byAddress(a, b) == 0 })
	base := m.base
	for _, e := range touched {
		n, found := slices.BinarySearchFunc(base, e, byAddress)
		all = append(all, base[:n]...)
		if base = base[n:]; found {
			base = base[1:]
		}
		if p := l.place(e.Ip, e.Port, e.Cluster); !p.empty() {
			all = append(all, p.shown())
		}
	}
	return append(all, base...)
}

func byAddress(a, b *messages.Endpoint) int {
	if c := strings.Compare(a.Cluster, b.Cluster); c != 0 {
		return c
	}
	if c := strings.Compare(a.Ip, b.Ip); c != 0 {
		return c
	}
	return cmp.Compare(a.Port, b.Port)
}
