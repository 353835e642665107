// Package bolt owns the embedded store: one bbolt file with a journal before it,
// and one goroutine that commits. It packs what waits into one record of the
// journal, with no artificial delay, so that one fsync serves many; from time to
// time what has gathered goes to the file in one transaction. Small commits of
// many actors touch a page of the file each: written one by one, with the file's
// two fsyncs each time, they cost ten times as much as one after the other in a
// journal. It knows nothing of actors.
package bolt

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	maxBatch     = 256         // transactions in one record of the journal
	queueLength  = 1024        // transactions that wait without blocking their senders' memory
	lockWait     = time.Second // for another process that has the file open
	mmapBytes    = 1 << 30     // address space, not memory: readers never wait for a remap below it
	revisionSize = 8           // bytes in front of every value
	fileMode     = os.FileMode(0o600)
)

var bucketName = []byte("troupe")

// Options are the settings of a Store. The zero Options are right for use.
type Options struct {
	// NoSync skips fsync: a crash of the machine may lose acknowledged commits
	// or the file. For tests and benchmarks only.
	NoSync bool

	// CheckpointBytes and CheckpointAge are how much may gather in the journal, and
	// for how long, before it goes to the file (0: the defaults).
	CheckpointBytes int
	CheckpointAge   time.Duration
}

func (o Options) bytes() int { return cmp.Or(o.CheckpointBytes, checkpointBytes) }

func (o Options) age() time.Duration { return cmp.Or(o.CheckpointAge, checkpointAge) }

// Store is a store.Store in one file. Make one with Open.
type Store struct {
	db      *bbolt.DB
	options Options
	queue   chan *request
	closing chan struct{} // closed by Close once nothing is queued any more
	done    chan struct{} // closed when the committer has ended
	once    sync.Once
	err     error // of closing the file

	mu     sync.RWMutex
	closed bool

	// The committer's own.
	journal    *journal
	dirtySince time.Time // of the active layer; zero: it is clean
	scratch    scratch

	state        sync.RWMutex // for active and frozen
	active       *layer       // takes commits
	frozen       *layer       // is being written to the file; nil: none
	checkpoints  chan *layer
	checkpointed chan struct{} // a checkpoint is done; closed when there will be none
	giveUp       chan struct{} // closed: a checkpoint that fails is not tried again
	failure      atomic.Pointer[error]
	feed         store.Feed
}

var (
	_ store.Store     = (*Store)(nil)
	_ store.Submitter = (*Store)(nil)
	_ store.Watcher   = (*Store)(nil)
)

// Open opens the file at path, making it if it is absent. It is refused with a
// Conflict if another process has it open, and with Invalid if it is damaged.
func Open(path string, o Options) (*Store, error) {
	db, err := open(path, o)
	if err != nil {
		return nil, explain(path, err)
	}
	s := &Store{
		db:           db,
		options:      o,
		queue:        make(chan *request, queueLength),
		closing:      make(chan struct{}),
		done:         make(chan struct{}),
		checkpoints:  make(chan *layer, 1),
		checkpointed: make(chan struct{}, 1),
		giveUp:       make(chan struct{}),
	}
	s.scratch.reset()
	if err := s.recover(path); err != nil {
		return nil, explain(path, errors.Join(err, db.Close()))
	}
	go s.checkpointLoop()
	go s.commitLoop()
	return s, nil
}

// recover brings to the file what only the journal has, and begins a segment.
func (s *Store) recover(path string) error {
	var applied, last, id uint64
	err := s.look(func(b *bbolt.Bucket) error {
		last = b.Sequence()
		meta := b.Tx().Bucket(metaName)
		applied, id = number(meta.Get(appliedKey)), number(meta.Get(idKey))
		return nil
	})
	if err != nil {
		return err
	}
	s.journal = &journal{path: path, noSync: s.options.NoSync, id: id}
	layers, err := s.journal.replay(applied)
	if err != nil {
		return err
	}
	for _, l := range layers {
		if err := s.checkpoint(l); err != nil {
			return fmt.Errorf("bring the journal to the file: %w", err)
		}
		applied, last = l.segment, max(last, l.last)
	}
	s.active = &layer{segment: applied + 1, last: last}
	return s.journal.begin(applied + 1)
}

func number(raw []byte) uint64 {
	if len(raw) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(raw)
}

// open turns the panics and memory faults that bbolt meets in a damaged file
// into an error.
func open(path string, o Options) (db *bbolt.DB, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	if err := checkSize(path); err != nil {
		return nil, err
	}
	db, err = bbolt.Open(path, fileMode, &bbolt.Options{
		Timeout:         lockWait,
		NoSync:          o.NoSync,
		NoFreelistSync:  true,
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: mmapBytes,
	})
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		if info, err := os.Stat(path); err != nil {
			return err
		} else if info.Size() < tx.Size() {
			return fmt.Errorf("%w: it has %d of %d bytes", errDamaged, info.Size(), tx.Size())
		}
		if _, err := tx.CreateBucketIfNotExists(bucketName); err != nil {
			return err
		}
		meta, err := tx.CreateBucketIfNotExists(metaName)
		if err == nil && meta.Get(idKey) == nil {
			id := make([]byte, 8)
			_, _ = rand.Read(id) // never fails
			err = meta.Put(idKey, id)
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

var errDamaged = errors.New("the file is damaged")

// checkSize refuses a file too short to hold bbolt's two meta pages: it would
// be read past its end.
func checkSize(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	if err == nil && info.Mode().IsRegular() && info.Size() < int64(2*os.Getpagesize()) {
		return fmt.Errorf("%w: it has %d bytes", errDamaged, info.Size())
	}
	return err
}

func explain(path string, err error) error {
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("another troupe uses %s: %w", filepath.Dir(path), messages.Conflict)
	case errors.Is(err, errDamaged), errors.Is(err, bolterrors.ErrInvalid),
		errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return fmt.Errorf("the store %s is damaged or not a store (%v): %w", path, err, messages.Invalid)
	}
	return fmt.Errorf("open the store %s: %w", path, err)
}

// Close is store.Store's. If the last checkpoint fails (disk full), the journal
// stays, and nothing is lost.
func (s *Store) Close() error {
	s.once.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.feed.Close()
		close(s.closing)
		<-s.done
		close(s.giveUp)
		close(s.checkpoints)
		for range s.checkpointed {
		}
		if s.err = s.lastCheckpoint(); s.err == nil {
			s.err = s.journal.remove()
		}
		s.journal.close()
		s.err = errors.Join(s.err, s.db.Close())
	})
	return s.err
}

// lastCheckpoint brings everything to the file. Commits do not write the list of
// free pages, which makes them faster; this one does, so that the next Open need
// not walk the whole file.
func (s *Store) lastCheckpoint() error {
	s.db.NoFreelistSync = false
	for _, l := range []*layer{s.frozen, s.active} {
		if l == nil {
			continue
		}
		if err := s.checkpoint(l); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("store: %w: %w", err, messages.Unavailable)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return store.ErrClosed
	}
	return nil
}

// decode copies: bbolt's bytes are only valid inside the transaction.
func decode(key string, raw []byte) (store.Item, error) {
	if len(raw) < revisionSize {
		return store.Item{}, fmt.Errorf("the value of %q is damaged: %w", key, messages.Internal)
	}
	return store.Item{
		Key:      key,
		Value:    append([]byte{}, raw[revisionSize:]...),
		Revision: binary.BigEndian.Uint64(raw),
	}, nil
}

func revisionOf(raw []byte) uint64 {
	if len(raw) < revisionSize {
		return 0
	}
	return binary.BigEndian.Uint64(raw)
}
