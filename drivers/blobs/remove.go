package blobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/troupe-cloud/troupe/messages"
)

// Hold keeps a content from being removed until release is called. NotFound if
// it is not here.
func (s *Store) Hold(ctx context.Context, sha256 string) (release func(context.Context) error, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.Path(ctx, sha256); err != nil {
		return nil, err
	}
	return s.hold(sha256), nil
}

// hold counts one hold; the caller has the lock.
func (s *Store) hold(name string) func(context.Context) error {
	s.held[name]++
	var once sync.Once
	return func(ctx context.Context) (err error) {
		once.Do(func() { err = s.release(ctx, name) })
		return err
	}
}

// release ends one hold, and does what Delete could not do because of it.
func (s *Store) release(ctx context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[name]--; s.held[name] > 0 {
		return nil
	}
	delete(s.held, name)
	wanted, ok := s.doomed[name]
	if !ok {
		return nil
	}
	delete(s.doomed, name)
	return s.remove(ctx, name, wanted)
}

// Delete removes a content at once; an absent one is success. Conflict while it is held.
func (s *Store) Delete(_ context.Context, sha256 string) error {
	path, err := s.path(sha256)
	if err != nil {
		return nil //nolint:nilerr // what is no name is not here
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[sha256] > 0 {
		return fmt.Errorf("content %s is in use: %w", sha256, messages.Conflict)
	}
	return unlink(path)
}

// Discard removes a content unless wanted says that somebody refers to it. While
// it is held, the question and the removal wait for the end of the last hold:
// so an upload of the same content that is about to be announced keeps it.
func (s *Store) Discard(ctx context.Context, sha256 string, wanted Referenced) error {
	if !validName(sha256) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[sha256] > 0 {
		s.doomed[sha256] = wanted
		return nil
	}
	return s.remove(ctx, sha256, wanted)
}

// Sweep discards every content that nobody wants: what was stored when a crash
// came before it was announced. It answers how many were removed.
func (s *Store) Sweep(ctx context.Context, wanted Referenced) (int, error) {
	names, err := s.List()
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		if err := s.Discard(ctx, name, wanted); err != nil {
			return 0, err
		}
	}
	left, err := s.List()
	return max(0, len(names)-len(left)), err
}

// remove asks and removes under the lock, so that no hold begins in between.
func (s *Store) remove(ctx context.Context, name string, wanted Referenced) error {
	yes, err := wanted(ctx, name)
	if err != nil || yes {
		return err
	}
	path, err := s.path(name)
	if err != nil {
		return err
	}
	return unlink(path)
}

func unlink(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("blob store: %w", err)
	}
	return nil
}
