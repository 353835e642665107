// Package blobs owns the contents of images in one directory of one machine:
// files, each named by its SHA-256, written whole or not at all and never
// changed; and parts of contents that are being fetched. It does not know what an
// image is, where else a content is, nor whether anybody still wants one; those
// who ask it to remove one say so.
package blobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// How the store's files are named and kept. The content is read by QEMU, which
// libvirt makes the owner of what it opens.
const (
	stagePrefix   = ".upload-"
	partialPrefix = ".fetch-"
	corruptPrefix = ".corrupt-"
	sumsSuffix    = ".sums"
	stageMode     = 0o600
	blobMode      = 0o400
	dirMode       = 0o711
	nameBytes     = 64 // of a SHA-256 in hex
)

// touchEvery is how exactly the time of the last use is kept on disk, where it
// outlives the process.
const touchEvery = time.Minute

// Info says what a content is. The sums are lower-case hex.
type Info struct {
	SHA256, SHA512, MD5 string
	Size                int64
}

// Content is what can be read of one content, until it is closed, even if it is
// removed meanwhile.
type Content interface {
	io.ReaderAt
	io.Closer
}

// Store is one directory of contents. One process at a time may have it open.
// Safe for concurrent use. It is a drivers.Images.
type Store struct {
	dir   string
	least int64 // bytes of a piece

	mu       sync.Mutex
	contents map[string]*content
	sums     map[string]*Sums // that were asked for
	partials map[string]*Partial
}

// content is one that is here.
type content struct {
	size    int64
	used    time.Time // last asked for
	touched time.Time // what the file says of it
	held    int       // how many holds it has
	asking  int       // how many discards are asking about it just now
	rescued bool      // a hold began while one asked: it asks again when the hold ends
	doomed  Referenced
}

// Referenced says whether anybody still wants the content that sha256 names.
type Referenced func(ctx context.Context, sha256 string) (bool, error)

// Open makes the store in dir, which is created if it is not there, and removes
// what uploads and fetches left that a crash cut short.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, fmt.Errorf("blob store: %w", err)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("blob store: %w", err)
	}
	s := &Store{dir: dir, least: MinPieceBytes, contents: map[string]*content{}, sums: map[string]*Sums{}, partials: map[string]*Partial{}}
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("blob store: %w", err)
	}
	return s, nil
}

// SmallestPiece sets how long pieces are at least, instead of MinPieceBytes, for
// sums that are made from now on. Tests and simulations send many pieces of little.
func (s *Store) SmallestPiece(bytes int64) { s.least = bytes }

// load finds what is here.
func (s *Store) load() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	names := map[string]bool{}
	for _, e := range entries {
		names[e.Name()] = true
	}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), sumsSuffix); ok && validName(name) && !names[name] {
			_ = os.Remove(filepath.Join(s.dir, e.Name())) // it says nothing without its content
		}
		if left := e.Name(); strings.HasPrefix(left, stagePrefix) || strings.HasPrefix(left, partialPrefix) {
			if err := os.Remove(filepath.Join(s.dir, left)); err != nil {
				return err
			}
		}
		if !validName(e.Name()) {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		s.contents[e.Name()] = &content{size: info.Size(), used: info.ModTime(), touched: info.ModTime()}
	}
	return nil
}

// Path is the file with the content that sha256 names; NotFound if it is not
// here. Whoever needs it for longer than a moment links or copies it, or has it held.
func (s *Store) Path(ctx context.Context, sha256 string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	path, err := s.path(sha256)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := os.Stat(path); err != nil {
		return "", s.lost(sha256, err)
	}
	s.use(sha256)
	return path, nil
}

// Open gives the content to read; NotFound if it is not here.
func (s *Store) Open(_ context.Context, sha256 string) (Content, error) {
	path, err := s.path(sha256)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := os.Open(path)
	if err != nil {
		return nil, s.lost(sha256, err)
	}
	s.use(sha256)
	return f, nil
}

// lost takes back that a content is here, if somebody removed its file; the
// caller has the lock.
func (s *Store) lost(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		delete(s.contents, name)
	}
	return missing(name, err)
}

// use notes that a content was asked for; the caller has the lock.
func (s *Store) use(name string) {
	c := s.contents[name]
	if c == nil {
		return
	}
	if c.used = time.Now(); c.used.Sub(c.touched) >= touchEvery {
		c.touched = c.used
		_ = os.Chtimes(filepath.Join(s.dir, name), time.Time{}, c.used) // else it counts as used less lately
	}
}

// Has says from memory whether a content is here, and how many bytes it has.
func (s *Store) Has(sha256 string) (size int64, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.contents[sha256]
	if c == nil {
		return 0, false
	}
	return c.size, true
}

// Copies is one of one for what is here: this store is all there is.
func (s *Store) Copies(_ context.Context, sha256 string) (have, want int, err error) {
	if _, ok := s.Has(sha256); !ok {
		return 0, 1, nil
	}
	return 1, 1, nil
}

// List names every content of the store.
func (s *Store) List() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.contents))
}

// path is where sha256 is kept. A name that is no SHA-256 names nothing.
func (s *Store) path(sha256 string) (string, error) {
	if !validName(sha256) {
		return "", fmt.Errorf("%.80q is not the name of a content: %w", sha256, messages.NotFound)
	}
	return filepath.Join(s.dir, sha256), nil
}

func validName(s string) bool {
	return len(s) == nameBytes && strings.Trim(s, "0123456789abcdef") == ""
}

func missing(sha256 string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("content %s is not stored here: %w", sha256, messages.NotFound)
	}
	return fmt.Errorf("content %s: %w", sha256, err)
}

// full turns the ways in which a disk says "no room" into Exhausted.
func full(err error) error {
	for _, no := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, no) {
			return fmt.Errorf("there is no room left in the image store: %w", messages.Exhausted)
		}
	}
	return fmt.Errorf("blob store: %w", err)
}
