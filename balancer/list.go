package balancer

import (
	"cmp"
	"slices"
	"time"
)

// Update replaces the list of servers. What is no address is left out; of two with
// the same id the last counts.
func (b *Balancer) Update(list []Endpoint) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.once.Do(func() { close(b.first) })
	now := b.now()
	if b.closed || !b.believed(list, now) {
		return
	}
	old := make(map[string]*Server, len(b.list))
	for _, s := range b.list {
		old[s.id] = s
	}
	next := make(map[string]*Server, len(list))
	for i := range list {
		e := &list[i]
		if !e.valid() {
			continue
		}
		key := e.key()
		if s := old[key]; s != nil && s.Endpoint.equal(e) {
			next[key] = s
			continue
		}
		next[key] = b.adopt(key, *e, now)
	}
	b.list = b.list[:0:0]
	for _, s := range next {
		b.list = append(b.list, s)
	}
	for key := range old {
		if next[key] == nil {
			b.known[key].left = now
		}
	}
	b.rebuild(now)
}

// believed says whether a list counts: an empty one does only after a while.
func (b *Balancer) believed(list []Endpoint, now int64) bool {
	if slices.ContainsFunc(list, func(e Endpoint) bool { return e.valid() }) {
		b.emptied = 0
		return true
	}
	if len(b.list) == 0 || b.config.KeepEmpty < 0 {
		return true
	}
	if b.emptied == 0 {
		b.emptied = now
		b.arm(now, now+int64(b.keepEmpty()))
	}
	return now-b.emptied >= int64(b.keepEmpty())
}

func (b *Balancer) keepEmpty() time.Duration { return cmp.Or(b.config.KeepEmpty, DefaultKeepEmpty) }

// adopt makes a server of an endpoint, with the history that it has.
func (b *Balancer) adopt(key string, e Endpoint, now int64) *Server {
	r := b.known[key]
	if r == nil {
		r = &remembered{history: &history{}, added: now}
		b.known[key] = r
	}
	if r.left != 0 {
		r.left, r.added = 0, now
	}
	return &Server{Endpoint: e, history: r.history, id: key, address: e.Address(), added: r.added, zone: b.zoneCounter(e.Zone)}
}
