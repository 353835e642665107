package service

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/messages"
)

// check says what does not fit together in a state; empty: all does.
func (s State) check() string {
	l, held, bad := s.live, 0, []string{}
	complain := func(format string, a ...any) { bad = append(bad, fmt.Sprintf(format, a...)) }
	shown, healthy, clusters := 0, 0, map[string]int{}
	for p := range l.places.all {
		shown++
		clusters[p.shown().Cluster]++
		if p.shown().Healthy {
			healthy++
		}
		for r := range p.all {
			held++
			if l.slots.get(r.slot) != r {
				complain("slot %d does not hold %v", r.slot, r.e)
			}
			s.checkLease(r, complain)
		}
	}
	for slot := range l.used {
		if l.slots.get(slot) != nil {
			held--
		}
	}
	free := 0
	for f := l.free; f != nil; f = f.next {
		free++
		if l.slots.get(f.slot) != nil {
			complain("slot %d is free and not", f.slot)
		}
	}
	if free+l.held != int(l.used) {
		complain("%d slots are free, %d held, of %d", free, l.held, l.used)
	}
	if held != 0 || shown != l.shown || healthy != l.healthy || len(clusters) != len(l.clusters) {
		complain("%d shown, %d healthy, %d clusters are counted as %d, %d, %d; %d entries too many",
			shown, healthy, len(clusters), l.shown, l.healthy, len(l.clusters), held)
	}
	s.checkMembers(complain)
	s.checkServers(complain)
	if list := l.list(); !slices.IsSortedFunc(list, byAddress) || len(list) != shown {
		complain("the list is %v", list)
	}
	return strings.Join(bad, "\n")
}

// checkLease: whoever can die is looked at.
func (s State) checkLease(r *entry, complain func(string, ...any)) {
	l := s.live
	at := l.armed.get(r.slot)
	if mortal := !r.e.Persistent && (r.e.Owner == "" || l.lease.get(r.slot) != forever); mortal == (at == 0) && !r.e.Persistent && !byItself(r.e) {
		complain("%s is looked at at %d", r.e.Ip, at)
	}
	if at == 0 {
		if byItself(r.e) {
			complain("%s is not checked", r.e.Ip)
		}
		return
	}
	b, ok := l.buckets.Get(at)
	if in := slices.Contains(slices.Collect(b.all), r.slot); !ok || !in {
		complain("%s is not in the bucket of %d", r.e.Ip, at)
	}
	if l.first == 0 || l.first > at {
		complain("the first bucket is not %d but %d", at, l.first)
	}
}

// checkMembers: what owners have is what their members' sums say.
func (s State) checkMembers(complain func(string, ...any)) {
	l, owned := s.live, 0
	for _, m := range l.members {
		var sum uint64
		n, count := 0, 0
		for o := range m.owners.all {
			count++
			owned += len(o.slots)
			for _, slot := range o.slots {
				r := l.slots.get(slot)
				if r == nil || r.e.Owner != o.name {
					complain("%s has not what is in slot %d", o.name, slot)
				} else if o.drop == 0 {
					sum ^= r.sum
					n++
				}
			}
		}
		if sum != m.sum || n != m.n || count != m.count || count == 0 {
			complain("%s: %d owners, %d endpoints, sum %x are counted as %d, %d, %x", m.name, count, n, sum, m.count, m.n, m.sum)
		}
	}
	for slot := range l.used {
		if r := l.slots.get(slot); r != nil && r.e.Owner != "" && !isServer(r.e) {
			owned--
		}
	}
	if owned != 0 {
		complain("owners have %d endpoints too many", owned)
	}
}

// checkServers: what servers have is what their rows say.
func (s State) checkServers(complain func(string, ...any)) {
	n := 0
	for id, row := range s.Servers.All() {
		if row.Seq == 0 || row.Project == "" || len(row.Entries) == 0 {
			complain("the row of server %s is %+v", id, row)
		}
		if _, dead := s.Graves.Get(id); dead {
			complain("server %s is here and in its grave", id)
		}
		for _, r := range row.Entries {
			n++
			p := s.live.place(r.e.Ip, r.e.Port, r.e.Cluster)
			if p.empty() || p.of(ServerOwner(id)) == nil || !proto.Equal(p.of(ServerOwner(id)).e, r.e) {
				complain("%s of server %s is stored otherwise than it is shown", r.e.Ip, id)
			}
		}
	}
	for slot := range s.live.used {
		if r := s.live.slots.get(slot); r != nil && isServer(r.e) {
			n--
		}
	}
	if n != 0 {
		complain("servers have %d endpoints too many", n)
	}
}

// print is everything that a state says, to see whether a step has changed it.
func (s State) print() string {
	l := s.live
	var b strings.Builder
	fmt.Fprintln(&b, l.rev, l.used, l.held, l.shown, l.healthy, l.clusters, l.first, l.dirty, l.unsaved, l.saveAt, l.emptyAt, l.grace, l.wake)
	for slot := range l.used {
		fmt.Fprint(&b, slot, l.lease.get(slot), l.armed.get(slot), l.probes.get(slot))
		if r := l.slots.get(slot); r != nil {
			fmt.Fprintln(&b, endpointText(r.e), r.reg != nil, r.sum, r.at)
		}
	}
	var places []string
	for p := range l.places.all {
		places = append(places, fmt.Sprint(p.shown().Ip, len(slices.Collect(p.all))))
	}
	slices.Sort(places)
	fmt.Fprintln(&b, places)
	for _, m := range l.members {
		var owners []string
		for o := range m.owners.all {
			owners = append(owners, fmt.Sprint(o.name, o.drop, o.slots))
		}
		slices.Sort(owners)
		fmt.Fprintln(&b, m.name, m.last, m.sum, m.n, m.count, owners)
	}
	if l.buckets != nil {
		for it := l.buckets.Iterator(); !it.Done(); {
			at, bucket, _ := it.Next()
			fmt.Fprintln(&b, at, slices.Collect(bucket.all))
		}
	}
	return b.String()
}

func endpointText(e *messages.Endpoint) string {
	raw, err := endpointJSON{e}.AppendJSON(nil)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

// look is what subscribers see of a service.
func lookOf(s *messages.Service) string {
	if s == nil {
		return "none"
	}
	c := proto.CloneOf(s)
	c.Revision = 0
	for _, e := range c.Endpoints {
		e.Owner, e.RegisteredAt = "", 0
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(c)
	if err != nil {
		panic(err)
	}
	return string(raw)
}
