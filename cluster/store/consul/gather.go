package consul

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/hashicorp/consul/api"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	looksOut  = 2    // transactions that read, under way while others wait to go together
	lookAlone = 256  // entries: who expects more goes alone
	lookMost  = 1024 // entries that one transaction is expected to read at most
)

// gather puts reads together, for a transaction costs Consul as much as dozens of
// entries: while looksOut are under way, who asks waits, and then all go in one. Each
// sees a moment after it asked. Who asks the same gets the same answer.
type gather struct {
	mu      sync.Mutex
	out     int
	waiting []*glance
}

// glance is one read that waits.
type glance struct {
	ctx    context.Context // of who asks
	ops    api.KVTxnOps    // with a tree among them, the first is the marker's
	key    string          // of what is asked
	trees  bool
	weight int // entries, about
	answer chan seen
}

type seen struct {
	pairs api.KVPairs
	err   error
}

func newGlance(ctx context.Context, ops api.KVTxnOps, weight int) *glance {
	g := &glance{ctx: ctx, ops: ops, weight: weight, answer: make(chan seen, 1)}
	var key strings.Builder
	for _, op := range ops {
		g.trees = g.trees || op.Verb == api.KVGetTree
		key.WriteString(string(op.Verb) + " " + op.Key + "\n")
	}
	g.key = key.String()
	return g
}

// look reads the stored data as of one moment after it is called: see lookNow. The
// weight is how many entries are expected.
func (s *Store) look(ctx context.Context, ops api.KVTxnOps, weight int) (api.KVPairs, error) {
	if weight > lookAlone {
		return s.lookNow(ctx, ops)
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.Patience)
	defer cancel()
	g := newGlance(ctx, ops, weight)
	if err := s.gathered(g); err != nil {
		return nil, err
	}
	select {
	case a := <-g.answer:
		return a.pairs, a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("no answer from Consul in time: %w: %w", ctx.Err(), messages.Unavailable)
	}
}

// gathered has g answered some time.
func (s *Store) gathered(g *glance) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return store.ErrClosed
	}
	if s.gather.begins(g) {
		s.tasks.Go(func() {
			for all := s.gather.next(s.ops()); len(all) > 0; all = s.gather.next(s.ops()) {
				s.glanceAt(all)
			}
		})
	}
	return nil
}

// begins adds g, and says whether it is to go out at once, with next.
func (w *gather) begins(g *glance) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting = append(w.waiting, g)
	if w.out < looksOut {
		w.out++
		return true
	}
	return false
}

// next takes those that go together, by what they ask, in most operations; none:
// there is nobody left.
// Who has given up is forgotten: after an outage there may be many.
func (w *gather) next(most int) (groups [][]*glance) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ops, weight, taken := 1, 0, 0 // one for the redo entries
	at := map[string]int{}
	for _, g := range w.waiting {
		if g.ctx.Err() != nil {
			taken++
			continue
		}
		if i, asked := at[g.key]; asked {
			groups[i] = append(groups[i], g)
			taken++
			continue
		}
		if len(groups) > 0 && (ops+len(g.ops) > most || weight+g.weight > lookMost) {
			break
		}
		at[g.key] = len(groups)
		groups = append(groups, []*glance{g})
		ops, weight, taken = ops+len(g.ops), weight+g.weight, taken+1
	}
	clear(w.waiting[:taken])
	if w.waiting = w.waiting[taken:]; len(w.waiting) == 0 {
		w.waiting = nil
	}
	if len(groups) == 0 {
		w.out--
	}
	return groups
}

// glanceAt reads for all groups in one transaction; one by one if something is wrong
// with that of any of them.
func (s *Store) glanceAt(groups [][]*glance) {
	if len(groups) > 1 {
		ordered, ops := inOrder(groups)
		pairs, err := s.lookNow(s.life, ops)
		if err == nil {
			err = divide(ordered, pairs)
		}
		if err == nil {
			return
		}
		if errors.Is(err, messages.Unavailable) && !errors.Is(err, errOversize) {
			for _, group := range groups {
				tell(group, nil, err)
			}
			return
		}
	}
	for _, group := range groups {
		pairs, err := s.lookNow(s.life, group[0].ops)
		tell(group, pairs, err)
	}
}

// inOrder has those without a tree first: how many entries they get is known.
// The marker that the others begin with tells them apart.
func inOrder(groups [][]*glance) (ordered [][]*glance, ops api.KVTxnOps) {
	for _, trees := range []bool{false, true} {
		for _, group := range groups {
			if group[0].trees == trees {
				ordered, ops = append(ordered, group), append(ops, group[0].ops...)
			}
		}
	}
	return ordered, ops
}

// divide gives every group its part of what was read for all; nobody, if that is not
// what was asked.
func divide(groups [][]*glance, pairs api.KVPairs) error {
	parts := make([]api.KVPairs, len(groups))
	for i, group := range groups {
		g, n := group[0], len(group[0].ops)
		if g.trees {
			n = 1
			for n < len(pairs) && pairs[n].Key != g.ops[0].Key {
				n++
			}
		}
		if len(pairs) < n || pairs[0].Key != g.ops[0].Key {
			return errNonsense
		}
		parts[i], pairs = pairs[:n:n], pairs[n:]
	}
	if len(pairs) > 0 {
		return errNonsense
	}
	for i, group := range groups {
		tell(group, parts[i], nil)
	}
	return nil
}

// tell answers a group: each gets entries of its own.
func tell(group []*glance, pairs api.KVPairs, err error) {
	for i, g := range group {
		own := pairs
		if i < len(group)-1 {
			own = make(api.KVPairs, len(pairs))
			for j, p := range pairs {
				c := *p
				c.Value = bytes.Clone(p.Value)
				own[j] = &c
			}
		}
		g.answer <- seen{own, err}
	}
}
