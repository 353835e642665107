package consul

import (
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	maxLargeChecks = 20      // keys that a large transaction may check
	maxSwitched    = 8 << 10 // bytes of a checked key's value that stand in its entry
)

// checkLarge refuses what cannot be committed whole.
func (r *request) checkLarge(payload int) error {
	written := make(map[string]bool, len(r.writes))
	for i := range r.writes {
		written[r.writes[i].name] = true
	}
	for name := range r.checks {
		if !written[name] {
			return fmt.Errorf("a transaction of more than %d operations or %d bytes may check only keys that it writes: %w", payload, maxBody, messages.Invalid)
		}
	}
	if len(r.checks) > maxLargeChecks {
		return fmt.Errorf("a transaction of more than %d operations or %d bytes may check %d keys, not %d: %w",
			payload, maxBody, maxLargeChecks, len(r.checks), messages.Invalid)
	}
	return nil
}

// large commits a request that takes more than one Consul transaction. Values
// that are too long are written first, in parts that nobody refers to yet. If the
// rest fits, one transaction switches the entries. If not, the writes whose keys
// are not checked are written down in chunks, and one transaction switches those
// that are checked and sets the redo entry: that decides. Then the chunks are
// applied; whoever reads and finds a redo entry applies them first.
func (s *Store) large(l *lane, r *request) {
	began := time.Now()
	defer func() { s.lanes <- l; s.landed <- []*request{r} }()
	guards, err := s.uploadValues(r)
	if err != nil {
		s.abandon(r, nil)
		r.done(0, err)
		return
	}
	plan := s.plan(r, guards)
	if plan.chunked != nil {
		if err := s.writeDown(plan); err != nil {
			s.abandon(r, plan)
			r.done(0, err)
			return
		}
	}
	if time.Since(began) > largeAge {
		s.abandon(r, plan)
		r.done(0, fmt.Errorf("writing a large transaction took longer than %v: %w", largeAge, store.ErrUndecided))
		return
	}
	revision, failed, sent, err := l.send(time.Now().Add(s.config.Patience), plan.ops)
	switch {
	case errors.Is(err, store.ErrUnknown):
		r.done(0, err)
		l.settle(sent)
	case err != nil:
		s.abandon(r, plan)
		r.done(0, err)
	case failed != nil && failed.fenced:
		s.abandon(r, plan)
		r.done(0, store.ErrFenced)
	case failed != nil:
		s.abandon(r, plan)
		r.done(0, store.ErrStale)
	default:
		s.complete(r, plan, revision)
	}
}

// uploadValues moves long values into parts.
func (s *Store) uploadValues(r *request) (guards map[string]*api.KVTxnOp, err error) {
	guards = map[string]*api.KVTxnOp{}
	long := maxInline
	if len(r.writes)+len(r.checks) > s.payload()/2 || r.total() > maxBody/2 {
		long = maxSwitched
	}
	for i := range r.writes {
		w := &r.writes[i]
		w.head.mark = s.newMark()
		if len(w.head.value) <= maxInline && (!w.check || len(w.head.value) <= long) {
			continue
		}
		if guards[w.name], err = s.upload(w); err != nil {
			return nil, err
		}
	}
	return guards, nil
}

func (r *request) total() (n int) {
	for i := range r.writes {
		if v := len(r.writes[i].head.value); v <= maxInline {
			n += bodySize(r.writes[i].name, v)
		}
	}
	return n
}

// plan is how a large request is decided by one transaction.
type plan struct {
	ops     api.KVTxnOps
	chunked []*write // what is not in ops; nil: everything is
	mark    mark     // of the redo entry
	chunks  int
}

func (s *Store) plan(r *request, guards map[string]*api.KVTxnOp) *plan {
	whole, part := &plan{}, &plan{mark: s.newMark()}
	body := 0
	for i := range r.writes {
		w := &r.writes[i]
		ops := r.setOps(w)
		if g := guards[w.name]; g != nil {
			ops = append(ops, g)
		}
		for _, op := range ops {
			body += bodySize(op.Key, len(op.Value))
		}
		whole.ops = append(whole.ops, ops...)
		if w.check {
			part.ops = append(part.ops, ops...)
		} else {
			part.chunked = append(part.chunked, w)
		}
	}
	whole.ops = append(whole.ops, r.checkOps()...)
	if len(whole.ops) <= s.payload() && body <= maxBody {
		return whole
	}
	return part
}

// complete applies the chunks and answers. It does not let go of the keys before
// everything is written: a later commit must not be overtaken by this one.
func (s *Store) complete(r *request, p *plan, revision uint64) {
	answered := false
	for try := 0; p.chunked != nil; try++ {
		err := s.finish(s.open, redo{mark: p.mark, index: revision, chunks: p.chunks})
		if err == nil {
			break
		}
		if !answered && try > 0 {
			answered = true
			r.done(0, fmt.Errorf("the commit is decided but not yet written everywhere: %w", store.ErrUnknown))
		}
		if !pause(s.open, try) {
			break
		}
	}
	if !answered {
		for i := range r.writes {
			if w := &r.writes[i]; w.check || p.chunked == nil {
				s.overwritten(w, revision)
			}
		}
		r.done(revision, nil)
	}
}

// abandon removes what nobody will refer to.
func (s *Store) abandon(r *request, p *plan) {
	for i := range r.writes {
		if w := &r.writes[i]; w.head.parts != 0 {
			s.drop(s.root + valueFolder + w.head.mark.String() + "/")
		}
	}
	if p != nil && p.chunked != nil {
		s.drop(s.root + chunkFolder + p.mark.String() + "/")
	}
}
