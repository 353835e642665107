package blobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/troupe-cloud/troupe/messages"
)

// Partial is a content of which some pieces are here. A piece counts once it was
// checked. It becomes a content by Finish, whole and checked, and by nothing else.
// Safe for concurrent use, as long as each piece has one writer.
type Partial struct {
	sums  *Sums
	name  string
	store *Store

	mu   sync.RWMutex // guards file: it is closed under the readers' feet otherwise
	file *os.File     // nil after Finish or Drop
	have []bool
	left int
}

// Partial is the one that is under way for a content; false if there is none.
func (s *Store) Partial(sha256 string) (*Partial, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.partials[sha256]
	return p, p != nil
}

// Begin makes room for a content with these sums, or goes on with what is there
// of it already. Errors: Exhausted if the disk says that there is no room.
func (s *Store) Begin(sha256 string, sums *Sums) (*Partial, error) {
	path, err := s.path(sha256)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.partials[sha256]; p != nil {
		return p, nil
	}
	f, err := os.OpenFile(filepath.Join(s.dir, partialPrefix+filepath.Base(path)), os.O_CREATE|os.O_TRUNC|os.O_RDWR, stageMode)
	if err != nil {
		return nil, full(err)
	}
	if err := f.Truncate(sums.Size); err != nil {
		return nil, errors.Join(full(err), f.Close(), os.Remove(f.Name()))
	}
	p := &Partial{sums: sums, name: sha256, store: s, file: f, have: make([]bool, len(sums.Pieces)), left: len(sums.Pieces)}
	s.partials[sha256] = p
	return p, nil
}

// Sums are those that Begin was given.
func (p *Partial) Sums() *Sums { return p.sums }

// Have copies which pieces are here.
func (p *Partial) Have() []bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return append([]bool(nil), p.have...)
}

// Left is how many pieces are missing.
func (p *Partial) Left() int {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.left
}

// PieceWriter takes one piece in; End says whether it was the right one.
type PieceWriter struct {
	p      *Partial
	i      int
	at     int64
	end    int64
	summed hashing
}

// Piece begins to write piece i from its start.
func (p *Partial) Piece(i int) *PieceWriter {
	at, n := p.sums.Bounds(i)
	return &PieceWriter{p: p, i: i, at: at, end: at + n, summed: sha256.New()}
}

// Write stores the next bytes. Invalid if there are more than the piece has.
func (w *PieceWriter) Write(b []byte) (int, error) {
	if w.at+int64(len(b)) > w.end {
		return 0, fmt.Errorf("piece %d is longer than it can be: %w", w.i, messages.Invalid)
	}
	w.p.mu.RLock()
	defer w.p.mu.RUnlock()
	if w.p.file == nil {
		return 0, w.p.gone()
	}
	n, err := w.p.file.WriteAt(b, w.at)
	w.summed.Write(b[:n])
	w.at += int64(n)
	if err != nil {
		return n, full(err)
	}
	return n, nil
}

// End makes the piece count if it is what it has to be; ErrPiece if not.
func (w *PieceWriter) End() error {
	if w.at != w.end || [sha256.Size]byte(w.summed.Sum(nil)) != w.p.sums.Pieces[w.i] {
		return ErrPiece
	}
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	if !w.p.have[w.i] {
		w.p.have[w.i] = true
		w.p.left--
	}
	return nil
}

// ErrPiece says that what came for a piece was something else.
var ErrPiece = errors.New("the piece is not what its sum says")

// ReadPiece reads from a piece that is here, off bytes into the content; NotFound
// if it is not.
func (p *Partial) ReadPiece(b []byte, off int64) (int, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	last := (off + int64(len(b)) - 1) / p.sums.PieceBytes
	for i := off / p.sums.PieceBytes; i <= last; i++ {
		if p.file == nil || i >= int64(len(p.have)) || !p.have[i] {
			return 0, p.gone()
		}
	}
	return p.file.ReadAt(b, off)
}

// Finish checks the whole and makes it a content of the store, durably and held
// until release is called. ErrCorrupt if the whole is not what its name says
// although every piece was right: then the sums were wrong, and all is dropped.
func (p *Partial) Finish(ctx context.Context) (release func(context.Context) error, err error) {
	if n := p.Left(); n > 0 {
		return nil, fmt.Errorf("%d pieces of content %s are missing: %w", n, p.name, messages.Conflict)
	}
	p.mu.RLock()
	f := p.file
	p.mu.RUnlock()
	if f == nil {
		return nil, p.gone()
	}
	whole := sha256.New()
	if _, err := io.CopyBuffer(whole, while{ctx, io.NewSectionReader(f, 0, p.sums.Size)}, make([]byte, chunkBytes)); err != nil {
		return nil, fmt.Errorf("content %s: %w", p.name, err)
	}
	if hex.EncodeToString(whole.Sum(nil)) != p.name {
		p.Drop()
		return nil, fmt.Errorf("content %s: %w", p.name, ErrCorrupt)
	}
	if err := f.Sync(); err != nil {
		return nil, full(err)
	}
	if release, err = p.install(f); err == nil {
		_ = p.store.saveSums(p.name, p.sums) // else they are made again when somebody asks
	}
	return release, err
}

func (p *Partial) install(f *os.File) (release func(context.Context) error, err error) {
	s := p.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.partials[p.name] != p {
		return nil, p.gone()
	}
	if s.contents[p.name] == nil {
		if err := s.install(f, p.name, p.sums.Size); err != nil {
			return nil, err
		}
	}
	s.sums[p.name] = p.sums
	p.end()
	return s.hold(p.name), nil
}

// Drop forgets what is here. After Finish it does nothing.
func (p *Partial) Drop() {
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	p.end()
}

// end closes the file and takes its name away, if it still has that of a part;
// the caller has the store's lock.
func (p *Partial) end() {
	if p.store.partials[p.name] == p {
		delete(p.store.partials, p.name)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file == nil {
		return
	}
	_ = os.Remove(p.file.Name()) // of an installed one the name is gone; what cannot be removed now is at the next Open
	_ = p.file.Close()
	p.file = nil
}

func (p *Partial) gone() error {
	return fmt.Errorf("this part of content %s is not stored here: %w", p.name, messages.NotFound)
}
