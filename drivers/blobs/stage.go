package blobs

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/durable"
)

// chunkBytes is how much of an upload is in memory at once.
const chunkBytes = 256 << 10

// ErrTooLarge is the refusal of an upload that is longer than its limit.
var ErrTooLarge = fmt.Errorf("the content is larger than allowed: %w", messages.Exhausted)

// Staged is a content that has arrived whole but is not in the store yet, so
// that it can be looked at first. End it with Keep or Drop.
type Staged struct {
	Info  Info
	file  *os.File
	store *Store
	keep  KeepFunc
}

// KeepFunc keeps a staged content where it has to be kept, and holds it there
// until release is called.
type KeepFunc func(ctx context.Context, st *Staged) (release func(context.Context) error, err error)

// OnKeep has keep do what Keep does, which calls KeepHere as one part of it:
// for whoever keeps contents in more places than this store.
func (st *Staged) OnKeep(keep KeepFunc) { st.keep = keep }

// Put stores what r yields, at most limit bytes. On error nothing is left
// behind. Errors: ErrTooLarge; Exhausted when the disk is full; what r returned;
// ctx's when it ended.
func (s *Store) Put(ctx context.Context, r io.Reader, limit int64) (Info, error) {
	st, err := s.Stage(ctx, r, limit)
	if err != nil {
		return Info{}, err
	}
	release, err := st.Keep(ctx)
	if err != nil {
		return Info{}, err
	}
	return st.Info, release(ctx)
}

// Stage is Put without the last step.
func (s *Store) Stage(ctx context.Context, r io.Reader, limit int64) (*Staged, error) {
	f, err := os.CreateTemp(s.dir, stagePrefix+"*")
	if err != nil {
		return nil, full(err)
	}
	st := &Staged{file: f, store: s}
	if st.Info, err = fill(ctx, f, r, limit); err == nil {
		if e := f.Sync(); e != nil {
			err = full(e)
		}
	}
	if err != nil {
		st.Drop()
		return nil, err
	}
	return st, nil
}

// fill copies r to f and sums up what it sees.
func fill(ctx context.Context, f *os.File, r io.Reader, limit int64) (Info, error) {
	sums := []hash.Hash{sha256.New(), sha512.New(), md5.New()}
	buf := make([]byte, chunkBytes)
	size := int64(0)
	for {
		if err := ctx.Err(); err != nil {
			return Info{}, err
		}
		n, err := r.Read(buf)
		if size += int64(n); size > limit {
			return Info{}, ErrTooLarge
		}
		if werr := take(f, sums, buf[:n]); werr != nil {
			return Info{}, full(werr)
		}
		if errors.Is(err, io.EOF) {
			return Info{hexSum(sums[0]), hexSum(sums[1]), hexSum(sums[2]), size}, nil
		}
		if err != nil {
			return Info{}, err
		}
	}
}

// take writes and sums up one chunk, each sum on its own: they cost more than
// the disk does.
func take(f *os.File, sums []hash.Hash, chunk []byte) error {
	var summed sync.WaitGroup
	for _, h := range sums {
		summed.Go(func() { h.Write(chunk) })
	}
	_, err := f.Write(chunk)
	summed.Wait()
	return err
}

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// ReadAt reads the staged content.
func (st *Staged) ReadAt(p []byte, off int64) (int, error) { return st.file.ReadAt(p, off) }

// Drop removes the staged content. After Keep it does nothing.
func (st *Staged) Drop() {
	if st.file == nil {
		return
	}
	_ = st.file.Close()
	_ = os.Remove(st.file.Name()) // what cannot be removed now is at the next Open
	st.file = nil
}

// Keep moves the content into the store, durably, and holds it there until
// release is called: time to tell those who will refer to it. Equal contents
// are stored once. On error nothing is left behind.
func (st *Staged) Keep(ctx context.Context) (release func(context.Context) error, err error) {
	if st.keep != nil {
		return st.keep(ctx, st)
	}
	return st.KeepHere()
}

// KeepHere keeps the content in this store, whatever OnKeep said.
func (st *Staged) KeepHere() (release func(context.Context) error, err error) {
	defer st.Drop()
	s, name := st.store, st.Info.SHA256
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := os.Stat(filepath.Join(s.dir, name)); err != nil || s.contents[name] == nil {
		if err := s.install(st.file, name, st.Info.Size); err != nil {
			return nil, err
		}
	}
	return s.hold(name), nil
}

// install gives a complete and synced file its name, durably; the caller has the lock.
func (s *Store) install(f *os.File, name string, size int64) error {
	if err := f.Chmod(blobMode); err != nil {
		return full(err)
	}
	if err := os.Rename(f.Name(), filepath.Join(s.dir, name)); err != nil {
		return full(err)
	}
	if err := durable.SyncDir(s.dir); err != nil {
		return full(err)
	}
	c := s.contents[name]
	if c == nil { // else its file was lost, and the holds on it go on
		c = &content{}
		s.contents[name] = c
	}
	c.size, c.used, c.touched = size, time.Now(), time.Now()
	return nil
}
