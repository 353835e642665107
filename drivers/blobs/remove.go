package blobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// Hold keeps a content from being removed until release is called, and counts
// as a use of it. NotFound if it is not here.
func (s *Store) Hold(ctx context.Context, sha256 string) (release func(context.Context) error, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	path, err := s.path(sha256)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := os.Stat(path); err != nil {
		return nil, s.lost(sha256, err)
	}
	if s.contents[sha256] == nil {
		return nil, missing(sha256, fs.ErrNotExist) // a file that somebody else put there
	}
	return s.hold(sha256), nil
}

// hold counts one hold; the caller has the lock. The file says when: after a
// crash it is the only one who knows that somebody was about to refer to it.
func (s *Store) hold(name string) func(context.Context) error {
	c := s.contents[name]
	c.held++
	c.rescued = c.rescued || c.asking > 0
	c.used = time.Now()
	c.touched = c.used
	_ = os.Chtimes(filepath.Join(s.dir, name), time.Time{}, c.used)
	var once sync.Once
	return func(ctx context.Context) (err error) {
		once.Do(func() { err = s.release(ctx, name, c) })
		return err
	}
}

// release ends one hold, and does what Discard could not do because of it.
func (s *Store) release(ctx context.Context, name string, c *content) error {
	s.mu.Lock()
	c.held--
	wanted := c.doomed
	if c.held > 0 || s.contents[name] != c {
		wanted = nil
	}
	if wanted != nil {
		c.doomed = nil
	}
	s.mu.Unlock()
	if wanted == nil {
		return nil
	}
	return s.Discard(ctx, name, wanted)
}

// Delete removes a content at once; an absent one is success. Conflict while it is held.
func (s *Store) Delete(_ context.Context, sha256 string) error {
	if !validName(sha256) {
		return nil // what is no name is not here
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.contents[sha256]; c != nil && c.held > 0 {
		return fmt.Errorf("content %s is in use: %w", sha256, messages.Conflict)
	}
	return s.remove(sha256)
}

// Discard removes a content unless wanted says that somebody refers to it. While
// it is held, the question and the removal wait for the end of the last hold:
// so an upload of the same content that is about to be announced keeps it. A hold
// that begins while the question is asked does the same.
func (s *Store) Discard(ctx context.Context, sha256 string, wanted Referenced) error {
	s.mu.Lock()
	c := s.contents[sha256]
	if c == nil {
		s.mu.Unlock()
		return nil
	}
	if c.held > 0 {
		c.doomed = wanted
		s.mu.Unlock()
		return nil
	}
	c.asking++
	s.mu.Unlock()

	yes, err := wanted(ctx, sha256) // not under the lock: it may cross the network

	s.mu.Lock()
	defer s.mu.Unlock()
	rescued := c.rescued
	if c.asking--; c.asking == 0 {
		c.rescued = false
	}
	switch {
	case err != nil || yes || s.contents[sha256] != c:
		return err
	case c.held > 0:
		c.doomed = wanted
		return nil
	case rescued: // and released since: what was answered is too old
		return s.discardAgain(ctx, sha256, wanted)
	}
	return s.remove(sha256)
}

// discardAgain is Discard for who has the lock.
func (s *Store) discardAgain(ctx context.Context, name string, wanted Referenced) error {
	s.mu.Unlock()
	defer s.mu.Lock()
	return s.Discard(ctx, name, wanted)
}

// Sweep discards every content that nobody wants: what was stored when a crash
// came before it was announced. It answers how many were removed.
func (s *Store) Sweep(ctx context.Context, wanted Referenced) (int, error) {
	names := s.List()
	for _, name := range names {
		if err := s.Discard(ctx, name, wanted); err != nil {
			return 0, err
		}
	}
	return max(0, len(names)-len(s.List())), nil
}

// remove takes a content out; the caller has the lock.
func (s *Store) remove(name string) error {
	path := filepath.Join(s.dir, name)
	if err := unlink(path); err != nil {
		return err
	}
	delete(s.contents, name)
	delete(s.sums, name)
	return errors.Join(unlink(path+sumsSuffix), unlink(filepath.Join(s.dir, corruptPrefix+name)))
}

func unlink(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("blob store: %w", err)
	}
	return nil
}
