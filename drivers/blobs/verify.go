package blobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/troupe-cloud/troupe/messages"
)

// ErrCorrupt says that a content was not what its name says. It is not served
// any more: its file has been set aside as .corrupt-NAME for whoever wants to look.
var ErrCorrupt = fmt.Errorf("the stored content is damaged: %w", messages.NotFound)

// Sums are those of a content that is here, or of which a part is. Those that
// nobody has asked for before are made by reading the whole of it, which is
// checked by that; ErrCorrupt if it is not what it has to be.
func (s *Store) Sums(ctx context.Context, sha256 string) (*Sums, error) {
	s.mu.Lock()
	sums := s.sums[sha256]
	if p := s.partials[sha256]; sums == nil && p != nil {
		sums = p.sums
	}
	s.mu.Unlock()
	if sums != nil {
		return sums, nil
	}
	size, ok := s.Has(sha256)
	if !ok {
		return nil, fmt.Errorf("content %s is not stored here: %w", sha256, messages.NotFound)
	}
	raw, err := os.ReadFile(filepath.Join(s.dir, sha256+sumsSuffix))
	if err == nil {
		if sums, err = decodeSums(raw); err == nil && sums.Size == size {
			s.remember(sha256, sums)
			return sums, nil
		}
	}
	if sums, err = s.check(ctx, sha256, pieceBytes(size, s.least)); err != nil {
		return nil, err
	}
	return sums, s.saveSums(sha256, sums)
}

// Verify reads a content that is here and checks it. ErrCorrupt if it is not
// what it has to be.
func (s *Store) Verify(ctx context.Context, sha256 string) error {
	size, ok := s.Has(sha256)
	if !ok {
		return fmt.Errorf("content %s is not stored here: %w", sha256, messages.NotFound)
	}
	_, err := s.check(ctx, sha256, pieceBytes(size, s.least))
	return err
}

// check reads the whole content.
func (s *Store) check(ctx context.Context, name string, pieceBytes int64) (*Sums, error) {
	f, err := os.Open(filepath.Join(s.dir, name))
	if err != nil {
		return nil, missing(name, err)
	}
	defer f.Close()
	w := newSummer(pieceBytes)
	if _, err := io.CopyBuffer(w, while{ctx, f}, make([]byte, chunkBytes)); err != nil {
		return nil, fmt.Errorf("content %s: %w", name, err)
	}
	sums, whole := w.done()
	if whole != name {
		return nil, errors.Join(fmt.Errorf("content %s: %w", name, ErrCorrupt), s.setAside(name, f))
	}
	return sums, nil
}

// setAside takes the damaged file f out of the store, unless another has its
// place by now. Holds on it are void: there is nothing to hold.
func (s *Store) setAside(name string, f *os.File) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := filepath.Join(s.dir, name)
	bad, err := f.Stat()
	if err != nil {
		return err
	}
	if now, err := os.Stat(path); err != nil || !os.SameFile(bad, now) {
		return nil
	}
	if err := os.Rename(path, filepath.Join(s.dir, corruptPrefix+name)); err != nil {
		return fmt.Errorf("blob store: %w", err)
	}
	delete(s.contents, name)
	delete(s.sums, name)
	return unlink(path + sumsSuffix)
}

func (s *Store) remember(name string, sums *Sums) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.contents[name] != nil {
		s.sums[name] = sums
	}
}

// saveSums writes the file of sums. It need not be durable: a damaged or missing
// one is made again.
func (s *Store) saveSums(name string, sums *Sums) error {
	s.remember(name, sums)
	f, err := os.CreateTemp(s.dir, stagePrefix+"*")
	if err != nil {
		return full(err)
	}
	_, err = f.Write(sums.encode())
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(s.dir, name+sumsSuffix))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return full(err)
	}
	return nil
}

// while reads as long as ctx lasts.
type while struct {
	ctx context.Context
	r   io.Reader
}

func (w while) Read(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.r.Read(p)
}
