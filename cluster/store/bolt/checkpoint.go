package bolt

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
)

const (
	// checkpointBytes is how much may gather in a layer, and checkpointAge for
	// how long, before it goes to the file. The journal's sync waits for the disk while
	// a checkpoint is written, and every commit with it: four short waits are better
	// than a long one.
	checkpointBytes = 4 << 20
	checkpointAge   = 2 * time.Second
	// maxLayerBytes makes commits wait for a checkpoint that cannot keep up.
	maxLayerBytes = 64 << 20
	// checkpointBurst is how many keys go to the file before others get a chance: a
	// request that became ready beside a checkpoint would wait for 20 ms else, until Go
	// takes the processor away.
	checkpointBurst = 32
	// retryPause is between two tries of a checkpoint that failed (disk full).
	retryPause = time.Second
)

// fillPercent is how full a page is left that was split. Most keys are appended
// where their like stand (ids and list keys begin with the time), so little is
// inserted into the middle of a page later.
const fillPercent = 0.9

var (
	metaName   = []byte("troupe.meta")
	appliedKey = []byte("applied segment")
	idKey      = []byte("store id")
)

// freeze lets the layer go to the file and begins a new one, unless one is on
// its way already. It runs in the committer.
func (s *Store) freeze() error {
	s.state.RLock()
	busy := s.frozen != nil
	s.state.RUnlock()
	if busy || s.active.bytes == 0 {
		return nil
	}
	if err := s.journal.begin(s.active.segment + 1); err != nil {
		return err // no new file: the old segment goes on
	}
	s.state.Lock()
	s.frozen, s.active = s.active, &layer{segment: s.active.segment + 1, last: s.active.last}
	s.state.Unlock()
	s.dirtySince = time.Time{}
	s.checkpoints <- s.frozen // it has room: only one is on its way
	return nil
}

// checkpointLoop writes frozen layers to the file, one transaction each, and
// tells the committer of every one.
func (s *Store) checkpointLoop() {
	defer close(s.checkpointed)
	for l := range s.checkpoints {
		for {
			err := s.checkpoint(l)
			if err == nil {
				break
			}
			s.failure.Store(&err)
			select {
			case <-time.After(retryPause):
			case <-s.giveUp:
				return // the journal keeps it for the next Open
			}
		}
		s.failure.Store(nil)
		s.state.Lock()
		s.frozen = nil
		s.state.Unlock()
		s.checkpointed <- struct{}{}
	}
}

// checkpoint writes a layer to the file, durably and whole.
func (s *Store) checkpoint(l *layer) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	var values arena
	defer values.release()
	return s.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketName)
		b.FillPercent = fillPercent
		var key []byte // bbolt keeps values until the end, but no keys
		for it, n := l.tree.Iter(), 1; it.Next(); n++ {
			if n%checkpointBurst == 0 {
				runtime.Gosched()
			}
			key = append(key[:0], it.Key()...)
			if e := it.Value(); e.value == nil {
				err = b.Delete(key)
			} else {
				err = b.Put(key, values.encode(e.revision, e.value))
			}
			if err != nil {
				return err
			}
		}
		if err := b.SetSequence(max(b.Sequence(), l.last)); err != nil {
			return err
		}
		return tx.Bucket(metaName).Put(appliedKey, binary.BigEndian.AppendUint64(nil, l.segment))
	})
}
