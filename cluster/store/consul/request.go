package consul

import (
	"slices"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/troupe-cloud/troupe/cluster/store"
)

// request is one store transaction on its way.
type request struct {
	ops      api.KVTxnOps
	body     int // bytes of JSON, about
	keys     []string
	writes   []write
	checks   map[string]uint64 // what is checked, by name
	deadline time.Time
	done     func(revision uint64, err error)

	// The scheduler's own.
	blocked  int  // keys that an earlier request holds
	started  bool // is on a lane
	answered bool
}

// write is one entry to be.
type write struct {
	name  string
	head  head
	gone  bool // a delete
	check bool // of this key too
}

// Cheap is store.Sized's: what goes out in one Consul transaction. Larger ones take
// half a dozen, and every value twice.
func (s *Store) Cheap() (writes, bytes int) { return s.payload(), maxBody / 2 }

func bodySize(name string, value int) int { return opOverhead + 2*len(name) + (value+2)/3*4 }

// newRequest works out what txn means to Consul. It is nil if the checks
// contradict each other: that is stale whatever is stored.
func (s *Store) newRequest(txn store.Txn, done func(uint64, error)) *request {
	r := &request{done: done, deadline: time.Now().Add(s.config.Patience)}
	if len(txn.Checks) > 0 {
		r.checks = make(map[string]uint64, len(txn.Checks))
	}
	for _, c := range txn.Checks {
		name := s.name(c.Key)
		index := s.known.index(name, c.Revision)
		if before, ok := r.checks[name]; ok && before != index {
			return nil
		}
		r.checks[name] = index
	}
	last := make(map[string]int, len(txn.Writes))
	for _, w := range txn.Writes {
		name := s.name(w.Key)
		entry := write{name: name, gone: w.Value == nil, head: head{value: w.Value}}
		_, entry.check = r.checks[name]
		if at, ok := last[name]; ok {
			r.writes[at] = entry
			continue
		}
		last[name] = len(r.writes)
		r.writes = append(r.writes, entry)
		r.keys = append(r.keys, name)
	}
	for name := range r.checks {
		if _, ok := last[name]; !ok {
			r.keys = append(r.keys, name)
		}
	}
	slices.Sort(r.keys)
	return r
}

func (s *Store) name(key string) string { return s.root + dataFolder + escape(key) }

// large says whether r takes more than one Consul transaction of so many operations.
func (r *request) large(payload int) bool {
	ops, body := 0, 0
	for _, w := range r.writes {
		if len(w.head.value) > maxInline {
			return true
		}
		ops++
		if w.gone && w.check {
			ops++
		}
		body += bodySize(w.name, len(w.head.value)+extraHead)
	}
	for name := range r.checks {
		body += bodySize(name, 0)
	}
	return ops+len(r.checks) > payload || body > maxBody
}

// build makes the operations of a request that fits into one transaction.
func (s *Store) build(r *request) {
	m := s.newMark()
	r.ops = make(api.KVTxnOps, 0, len(r.keys)+1)
	for i := range r.writes {
		w := &r.writes[i]
		w.head.mark = m
		r.ops = append(r.ops, r.setOps(w)...)
	}
	r.ops = append(r.ops, r.checkOps()...)
	for _, op := range r.ops {
		r.body += bodySize(op.Key, len(op.Value))
	}
}

// setOps write one entry; if its key is checked, only where it stands as checked.
func (r *request) setOps(w *write) api.KVTxnOps {
	index := r.checks[w.name]
	switch {
	case w.gone && !w.check:
		return api.KVTxnOps{{Verb: api.KVDelete, Key: w.name}}
	case w.gone && index == 0:
		return api.KVTxnOps{{Verb: api.KVCheckNotExists, Key: w.name}}
	case w.gone: // Consul's own delete-cas is content with a key that is gone already
		return api.KVTxnOps{{Verb: api.KVCheckIndex, Key: w.name, Index: index}, {Verb: api.KVDelete, Key: w.name}}
	case w.check:
		return api.KVTxnOps{{Verb: api.KVCAS, Key: w.name, Index: index, Value: w.head.encode(w.name)}}
	}
	return api.KVTxnOps{{Verb: api.KVSet, Key: w.name, Value: w.head.encode(w.name)}}
}

// checkOps check the keys that are not written.
func (r *request) checkOps() (ops api.KVTxnOps) {
	if len(r.checks) == 0 {
		return nil
	}
	written := make(map[string]bool, len(r.writes))
	for i := range r.writes {
		written[r.writes[i].name] = true
	}
	for name, index := range r.checks {
		switch {
		case written[name]:
		case index == 0:
			ops = append(ops, &api.KVTxnOp{Verb: api.KVCheckNotExists, Key: name})
		default:
			ops = append(ops, &api.KVTxnOp{Verb: api.KVCheckIndex, Key: name, Index: index})
		}
	}
	return ops
}
