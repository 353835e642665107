package blobs

import (
	"fmt"
	"path/filepath"
	"syscall"
	"time"
)

// Usage is one content and what it takes to remove it.
type Usage struct {
	SHA256 string
	Size   int64
	Used   time.Time // when somebody last asked for it; or, after a start, about when
	Held   bool
	Linked bool // a driver has a link to it: removing it would free nothing
}

// Usage lists every content.
func (s *Store) Usage() []Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Usage, 0, len(s.contents))
	for name, c := range s.contents {
		all = append(all, Usage{name, c.size, c.used, c.held > 0, s.linked(name)})
	}
	return all
}

func (s *Store) linked(name string) bool {
	var st syscall.Stat_t
	return syscall.Stat(filepath.Join(s.dir, name), &st) == nil && st.Nlink > 1
}

// Evict removes a content that others have, unless it is held, linked or was
// asked for after `unused`; still is asked last, under the lock under which holds
// and uses begin, so that nothing that it saw can have changed. It must not call
// the store. It answers whether the content is gone.
func (s *Store) Evict(sha256 string, unused time.Time, still func() bool) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.contents[sha256]
	if c == nil {
		return true, nil
	}
	if c.held > 0 || c.used.After(unused) || s.linked(sha256) || !still() {
		return false, nil
	}
	return true, s.remove(sha256)
}

// Under calls f under the lock of Evict: what it answers was true together.
func (s *Store) Under(f func(has func(sha256 string) (size int64, ok bool))) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(func(sha256 string) (int64, bool) {
		c := s.contents[sha256]
		if c == nil {
			return 0, false
		}
		return c.size, true
	})
}

// Bytes is what contents and parts take, the latter at the size they will have.
func (s *Store) Bytes() (n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.contents {
		n += c.size
	}
	for _, p := range s.partials {
		n += p.sums.Size
	}
	return n
}

// Free is how many bytes the file system still has room for.
func (s *Store) Free() (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(s.dir, &st); err != nil {
		return 0, fmt.Errorf("blob store: %w", err)
	}
	return int64(st.Bavail) * st.Bsize, nil
}

// Promised is how much of that the parts under way will still take: their files
// have holes where pieces are missing.
func (s *Store) Promised() (n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.partials {
		n += int64(p.Left()) * p.sums.PieceBytes
	}
	return n
}
