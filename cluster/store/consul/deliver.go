package consul

import (
	"errors"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/troupe-cloud/troupe/cluster/store"
)

// deliver commits batch as one transaction. When a check fails, those whose
// check it was have lost; the others go out again at once.
func (s *Store) deliver(l *lane, batch []*request) {
	all := batch
	for len(batch) > 0 {
		revision, failed, sent, err := l.send(lastDeadline(batch), join(batch))
		switch {
		case errors.Is(err, store.ErrUnknown):
			answer(batch, 0, err)
			l.settle(sent)
			batch = nil
		case err != nil:
			answer(batch, 0, err)
			batch = nil
		case failed == nil:
			for _, r := range batch {
				for i := range r.writes {
					s.overwritten(&r.writes[i], revision)
				}
			}
			answer(batch, revision, nil)
			batch = nil
		case failed.fenced:
			answer(batch, 0, store.ErrFenced)
			batch = nil
		default:
			batch = losers(batch, failed)
		}
	}
	s.lanes <- l
	s.landed <- all
}

func lastDeadline(batch []*request) time.Time {
	last := batch[0].deadline
	for _, r := range batch[1:] {
		if r.deadline.After(last) {
			last = r.deadline
		}
	}
	return last
}

func join(batch []*request) api.KVTxnOps {
	n := 0
	for _, r := range batch {
		n += len(r.ops)
	}
	ops := make(api.KVTxnOps, 0, n)
	for _, r := range batch {
		ops = append(ops, r.ops...)
	}
	return ops
}

func answer(batch []*request, revision uint64, err error) {
	for _, r := range batch {
		r.done(revision, err)
	}
}

// losers tells those whose checks failed, and returns the others.
func losers(batch []*request, failed *conflicts) (rest []*request) {
	at := 0
	for _, r := range batch {
		lost := false
		for range r.ops {
			lost = lost || failed.ops[at]
			at++
		}
		if lost {
			r.done(0, store.ErrStale)
			continue
		}
		rest = append(rest, r)
	}
	if len(rest) == len(batch) { // no check of anybody failed: an answer that names none of ours
		answer(batch, 0, store.ErrStale)
		return nil
	}
	return rest
}
