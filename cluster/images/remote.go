package images

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/troupe-cloud/troupe/drivers/blobs"
	"github.com/troupe-cloud/troupe/messages"
)

// remote reads a content from other nodes without keeping it: the piece that is
// read and the one after it are in memory, checked.
type remote struct {
	*pool
	ctx    context.Context
	cancel context.CancelFunc
	sums   *blobs.Sums

	mu     sync.Mutex
	pieces map[int]*loading
	work   sync.WaitGroup
}

type loading struct {
	done chan struct{}
	data []byte
	err  error
}

// Open reads a content from whoever has it, as long as ctx lasts.
func (p *peers) Open(ctx context.Context, sha256 string) (blobs.Content, error) {
	pool := newPool(p.Images, sha256, "")
	ctx, cancel := context.WithCancel(ctx)
	sums, _, err := pool.sums(ctx)
	if err != nil {
		cancel()
		pool.asking.Wait()
		return nil, err
	}
	return &remote{pool: pool, ctx: ctx, cancel: cancel, sums: sums, pieces: map[int]*loading{}}, nil
}

// Close ends what is being read ahead.
func (r *remote) Close() error {
	r.cancel()
	r.work.Wait()
	r.asking.Wait()
	return nil
}

// ReadAt reads within one piece after the other.
func (r *remote) ReadAt(b []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("offset %d: %w", off, messages.Invalid)
	}
	for n < len(b) {
		if off >= r.sums.Size {
			return n, io.EOF
		}
		piece := int(off / r.sums.PieceBytes)
		data, err := r.piece(piece)
		if err != nil {
			return n, err
		}
		start, _ := r.sums.Bounds(piece)
		c := copy(b[n:], data[off-start:])
		n, off = n+c, off+int64(c)
	}
	return n, nil
}

// piece waits for a piece, with the next one on its way.
func (r *remote) piece(n int) ([]byte, error) {
	r.mu.Lock()
	if r.ctx.Err() != nil {
		r.mu.Unlock()
		return nil, r.ctx.Err()
	}
	for i := range r.pieces {
		if i != n && i != n+1 {
			delete(r.pieces, i)
		}
	}
	l := r.load(n)
	if n+1 < len(r.sums.Pieces) {
		r.load(n + 1)
	}
	r.mu.Unlock()
	<-l.done
	return l.data, l.err
}

// load begins to fetch a piece; the caller has the lock.
func (r *remote) load(n int) *loading {
	if l := r.pieces[n]; l != nil {
		return l
	}
	l := &loading{done: make(chan struct{})}
	r.pieces[n] = l
	r.work.Go(func() {
		defer close(l.done)
		l.data, l.err = r.fetch(n)
	})
	return l
}

// fetch tries sources until one has the right piece.
func (r *remote) fetch(n int) ([]byte, error) {
	_, length := r.sums.Bounds(n)
	deadline := time.Now().Add(r.i.limits.StallTime)
	for {
		if s := r.choose(n); s != nil {
			w := &memory{max: length}
			err := r.get(r.ctx, s, r.sums, n, w, func() error { return w.check(r.sums.Pieces[n]) })
			if r.done(s); err == nil {
				return w.Bytes(), nil
			}
			if !errors.Is(err, errBusy) && r.ctx.Err() == nil {
				continue
			}
		} else if r.claimLook() {
			if err := r.look(r.ctx); errors.Is(err, messages.NotFound) {
				return nil, err
			}
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("nobody gives the content %s: %w", r.sha256, messages.Unavailable)
		}
		select {
		case <-time.After(r.i.limits.Pause/2 + rand.N(r.i.limits.Pause)):
		case <-r.ctx.Done():
			return nil, r.ctx.Err()
		}
	}
}

// memory takes one piece in.
type memory struct {
	bytes.Buffer
	max int64
}

func (m *memory) Write(b []byte) (int, error) {
	if int64(m.Len()+len(b)) > m.max {
		return 0, fmt.Errorf("the piece is longer than it can be: %w", messages.Invalid)
	}
	return m.Buffer.Write(b)
}

func (m *memory) check(sum [sha256.Size]byte) error {
	if sha256.Sum256(m.Bytes()) != sum {
		return blobs.ErrPiece
	}
	return nil
}
