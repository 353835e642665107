package eureka

import (
	"strings"

	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// source is one service that a view listens to. All is under the view's lock.
type source struct {
	view     *view
	name     string
	sub      *registry.Subscription
	entries  map[place]*entry
	list     []*entry // as the service ordered them
	number   uint64   // of the feed's state
	revision int64
	gen      uint64
	first    bool // the view is not whole before it was heard
	orphan   bool // the list of names has it no more
	gone     bool
}

// Hear is registry.Listener's.
func (s *source) Hear(_ *registry.Subscription, state *registry.State) {
	v := s.view
	v.mu.Lock()
	defer v.mu.Unlock()
	v.apply(s, state)
}

// Client is registry.Listener's.
func (s *source) Client() registry.Client { return registry.Client{Agent: "eureka"} }

// apply makes a service look as a state says. Called under v.mu.
func (v *view) apply(s *source, state *registry.State) {
	if s.gone || state.Number <= s.number {
		return
	}
	s.number, s.revision = state.Number, state.Revision
	s.gen++
	all := state.Service.GetEndpoints()
	now := make([]*entry, 0, len(all))
	next := 0 // in s.list: the order of endpoints seldom changes
	for _, e := range all {
		was := s.before(e, &next)
		x := was
		if was == nil || !same(was.e, e) {
			x = v.enter(s, was, e, state.Revision)
		}
		x.gen, x.at = s.gen, len(now)
		now = append(now, x)
	}
	s.list = now
	if len(s.entries) > len(all) {
		for at, x := range s.entries {
			if x.gen != s.gen {
				delete(s.entries, at)
				v.replace(x.App, x.ID, x, nil)
			}
		}
	}
	if s.first {
		s.first = false
		v.heard()
	}
	if s.orphan && len(s.entries) == 0 {
		v.leave(s)
	}
	if v.changed != nil {
		close(v.changed)
		v.changed = nil
	}
}

// before is what stood where e stands; nil: nobody. Next is where it is looked for
// first, and after it where the next one is.
func (s *source) before(e *messages.Endpoint, next *int) *entry {
	if n := *next; n < len(s.list) {
		if was := s.list[n]; was.e == e || placeOf(was.e) == placeOf(e) {
			*next = n + 1
			return was
		}
	}
	was := s.entries[placeOf(e)]
	if was != nil {
		*next = was.at + 1
	}
	return was
}

// enter makes an entry of an endpoint that has come or is another now. Called under
// v.mu.
func (v *view) enter(s *source, was *entry, e *messages.Endpoint, revision int64) *entry {
	x := newEntry(s.name, e)
	s.entries[placeOf(e)] = x
	if was != nil || !s.first { // of what was there when the view began the time is its registration's
		x.changedAt(revision, was)
	}
	if was == nil || was.ID == x.ID {
		v.replace(x.App, x.ID, was, x)
	} else {
		v.replace(was.App, was.ID, was, nil)
		v.replace(x.App, x.ID, nil, x)
	}
	return x
}

// replace puts x in the place of was under an id; either may be nil. Called under v.mu.
func (v *view) replace(name, id string, was, x *entry) {
	v.lease(was, x)
	a := v.apps[name]
	if a == nil {
		a = &app{name: name, ids: map[string][]*entry{}}
		v.apps[name], v.ordered = a, nil
	}
	before, now := a.put(id, was, x)
	if before == now {
		return
	}
	v.version++
	a.version = v.version
	a.sorted = nil
	if len(a.ids) == 0 {
		delete(v.apps, name)
		v.ordered = nil
	}
	c := &change{changeKey: changeKey{name, id}, entry: now, at: v.now()}
	switch {
	case before == nil:
		c.action = added
		now.action = added // nobody has seen it before
	case now == nil:
		c.action, c.entry = deleted, before
	default:
		c.action = modified
	}
	v.file(before, -1)
	v.file(now, 1)
	if whole(v) {
		v.recent.add(c)
	}
}

// whole says whether the view has been shown to anybody: what it began with is no change.
func whole(v *view) bool {
	select {
	case <-v.whole:
		return true
	default:
		return false
	}
}

// file enters an instance into the indexes and the counts, or takes it out.
func (v *view) file(x *entry, by int) {
	if x == nil {
		return
	}
	do := index.add
	if by < 0 {
		do = index.drop
	}
	if v.counts[x.Status] += by; v.counts[x.Status] == 0 {
		delete(v.counts, x.Status)
	}
	do(v.ids, x.ID, x)
	for _, vip := range addresses(x.VIP) {
		do(v.vips, vip, x)
	}
	for _, vip := range addresses(x.SVIP) {
		do(v.svips, vip, x)
	}
}

// lease counts who lives by renewals here, and who has missed them.
func (v *view) lease(was, x *entry) {
	if was != nil && was.ours() {
		v.leases--
		delete(v.missed, was)
	}
	if x != nil && x.ours() {
		v.leases++
		if missed(x.e) {
			v.missed[x] = struct{}{}
		}
	}
}

// seen says whether the view shows a revision of a service. Called under v.mu.
func (v *view) seen(name string, revision int64) bool {
	s := v.sources[name]
	return s == nil || s.revision >= revision
}

// endpointsOf makes entries of what a service itself has answered.
func endpointsOf(name string, all []*messages.Endpoint, id string) *entry {
	var best *entry
	for _, e := range all {
		x := newEntry(name, e)
		if x.ID == id && strings.EqualFold(x.App, name) && (best == nil || better(x, best) < 0) {
			best = x
		}
	}
	return best
}
