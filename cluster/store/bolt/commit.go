package bolt

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

// request is one transaction that waits.
type request struct {
	txn  store.Txn
	done func(revision uint64, err error)
}

func (r *request) size() (bytes int) {
	for _, w := range r.txn.Writes {
		bytes += len(w.Key) + len(w.Value)
	}
	return bytes
}

// scratch is what the committer needs for one batch and uses again for the next.
type scratch struct {
	staged map[string]entry // what earlier requests of the batch write
	writes []write
}

// keepScratch is how many writes' room is kept.
const keepScratch = 4096

func (c *scratch) reset() {
	clear(c.staged)
	clear(c.writes)
	if c.writes = c.writes[:0]; c.staged == nil || cap(c.writes) > keepScratch {
		*c = scratch{staged: map[string]entry{}}
	}
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

// commitLoop is the committer: the only one that changes the active layer and
// writes the journal.
func (s *Store) commitLoop() {
	defer close(s.done)
	batch := make([]*request, 0, maxBatch)
	age := time.NewTimer(checkpointAge)
	defer age.Stop()
	for {
		select {
		case r := <-s.queue:
			s.write(s.fill(append(batch[:0], r)))
			clear(batch[:cap(batch)])
		case <-s.checkpointed:
		case <-age.C:
		case <-s.closing:
			s.finish(batch[:0])
			return
		}
		s.turn(age)
	}
}

// turn freezes the active layer when it is large or old enough. A failure is
// tried again at the next turn; what is in the journal is safe.
func (s *Store) turn(age *time.Timer) {
	if s.active.bytes == 0 {
		return
	}
	if s.dirtySince.IsZero() {
		s.dirtySince = time.Now()
		age.Reset(s.options.age())
	}
	if s.active.bytes >= s.options.bytes() || time.Since(s.dirtySince) >= s.options.age() {
		if err := s.freeze(); err != nil {
			age.Reset(retryPause)
		}
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
	size := 0
	for _, r := range batch {
		size += r.size()
	}
	for len(batch) < maxBatch && size < store.MaxTxnBytes {
		select {
		case r := <-s.queue:
			batch = append(batch, r)
			size += r.size()
		default:
			return batch
		}
	}
	return batch
}

// write commits batch as one record of the journal and answers everybody.
func (s *Store) write(batch []*request) {
	outcomes := make([]outcome, len(batch))
	err := s.update(batch, outcomes)
	for i, r := range batch {
		if err != nil && outcomes[i].err == nil {
			outcomes[i] = outcome{err: fmt.Errorf("commit: %w: %w", err, messages.Unavailable)}
		}
		if outcomes[i].err == nil {
			s.feed.Changed(r.txn.Writes)
		}
		r.done(outcomes[i].revision, outcomes[i].err)
	}
}

func (s *Store) update(batch []*request, outcomes []outcome) error {
	if err := s.room(); err != nil {
		return err
	}
	defer s.scratch.reset()
	staged, writes, next := s.scratch.staged, s.scratch.writes, s.active.last
	for i, r := range batch {
		isStale, err := s.stale(staged, r.txn.Checks)
		switch {
		case err != nil:
			return err
		case isStale:
			outcomes[i].err = store.ErrStale
			continue
		}
		// Each has a revision of its own, so that two of one batch that write the
		// same key are told apart.
		next++
		outcomes[i].revision = next
		for _, w := range r.txn.Writes {
			e := entry{next, w.Value}
			if i+1 < len(batch) { // somebody may check it
				staged[w.Key] = e
			}
			writes = append(writes, write{w.Key, e})
		}
	}
	s.scratch.writes = writes
	if len(writes) > 0 {
		if err := s.journal.append(writes); err != nil {
			return err
		}
	}
	s.state.Lock()
	defer s.state.Unlock()
	for _, w := range writes {
		s.active.set(w.key, w.entry)
	}
	s.active.last = next
	return nil
}

// room waits for the checkpoint if too much has gathered; if that one fails, so
// does the commit.
func (s *Store) room() error {
	for s.active.bytes >= maxLayerBytes {
		if err := s.freeze(); err != nil {
			return err
		}
		if s.active.bytes < maxLayerBytes {
			return nil
		}
		if failed := s.failure.Load(); failed != nil {
			return *failed
		}
		select {
		case <-s.checkpointed:
		case <-time.After(retryPause): // it may have failed meanwhile
		}
	}
	return nil
}

func (s *Store) stale(staged map[string]entry, checks []store.Check) (bool, error) {
	for _, c := range checks {
		revision, err := s.revision(staged, c.Key)
		if err != nil || revision != c.Revision {
			return true, err
		}
	}
	return false, nil
}

// revision is where key stands; 0 if it is absent.
func (s *Store) revision(staged map[string]entry, key string) (revision uint64, err error) {
	e, ok := staged[key]
	if !ok {
		s.state.RLock()
		e, ok = find(key, s.active, s.frozen)
		s.state.RUnlock()
	}
	if ok {
		if e.value == nil {
			return 0, nil
		}
		return e.revision, nil
	}
	err = s.look(func(b *bbolt.Bucket) error {
		revision = revisionOf(b.Get([]byte(key)))
		return nil
	})
	return revision, err
}
