package bolt

import (
	"context"
	"fmt"
	"runtime/debug"

	"go.etcd.io/bbolt"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

// request is one transaction that waits.
type request struct {
	txn  store.Txn
	done func(revision uint64, err error)
}

type outcome struct {
	revision uint64
	err      error
}

// Commit is store.Store's. A ctx that ends while the transaction waits or is
// written leaves the outcome unknown.
func (s *Store) Commit(ctx context.Context, txn store.Txn) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("commit: %w: %w", err, messages.Unavailable)
	}
	answer := make(chan outcome, 1)
	s.Submit(txn, func(revision uint64, err error) { answer <- outcome{revision, err} })
	select {
	case o := <-answer:
		return o.revision, o.err
	case <-ctx.Done():
		return 0, fmt.Errorf("commit: %w: %w", ctx.Err(), messages.Unavailable)
	}
}

// Submit is store.Submitter's. The lock keeps Close from ending the committer
// between the look at closed and the queue.
func (s *Store) Submit(txn store.Txn, done func(revision uint64, err error)) {
	if err := store.CheckTxn(txn); err != nil {
		done(0, err)
		return
	}
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		done(0, store.ErrClosed)
		return
	}
	s.queue <- &request{txn, done}
	s.mu.RUnlock()
}

func (s *Store) commitLoop() {
	defer close(s.done)
	batch := make([]*request, 0, maxBatch)
	for {
		select {
		case r := <-s.queue:
			batch = append(batch[:0], r)
		case <-s.closing:
			s.finish(batch[:0])
			return
		}
		s.write(s.fill(batch))
		clear(batch[:cap(batch)])
	}
}

// finish commits what was queued before Close.
func (s *Store) finish(batch []*request) {
	for {
		batch = s.fill(batch[:0])
		if len(batch) == 0 {
			return
		}
		s.write(batch)
	}
}

// fill takes what waits, without waiting for more.
func (s *Store) fill(batch []*request) []*request {
	for len(batch) < maxBatch {
		select {
		case r := <-s.queue:
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

// write commits batch as one transaction of the file and answers everybody.
func (s *Store) write(batch []*request) {
	outcomes := make([]outcome, len(batch))
	err := s.update(batch, outcomes)
	for i, r := range batch {
		if err != nil {
			outcomes[i] = outcome{err: fmt.Errorf("commit: %w: %w", err, messages.Unavailable)}
		}
		r.done(outcomes[i].revision, outcomes[i].err)
	}
}

func (s *Store) update(batch []*request, outcomes []outcome) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	tx, err := s.db.Begin(true)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a Commit it does nothing
	b, written := tx.Bucket(bucketName), false
	for i, r := range batch {
		if stale(b, r.txn.Checks) {
			outcomes[i].err = store.ErrStale
			continue
		}
		if outcomes[i].revision, err = apply(b, r.txn.Writes); err != nil {
			return err
		}
		written = true
	}
	if !written {
		return nil
	}
	return tx.Commit()
}

func stale(b *bbolt.Bucket, checks []store.Check) bool {
	for _, c := range checks {
		if revisionOf(b.Get([]byte(c.Key))) != c.Revision {
			return true
		}
	}
	return false
}

// apply writes one transaction under a revision of its own, so that two of one
// batch that write the same key are told apart.
func apply(b *bbolt.Bucket, writes []store.Write) (uint64, error) {
	revision, err := b.NextSequence()
	if err != nil {
		return 0, err
	}
	for _, w := range writes {
		if w.Value == nil {
			err = b.Delete([]byte(w.Key))
		} else {
			err = b.Put([]byte(w.Key), encode(revision, w.Value))
		}
		if err != nil {
			return 0, err
		}
	}
	return revision, nil
}
