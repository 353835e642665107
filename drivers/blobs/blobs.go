// Package blobs owns the content of images: files in one directory, each named
// by its SHA-256, written whole or not at all and never changed. It does not
// know what an image is, nor whether anybody still wants a content; those who
// ask it to remove one say so.
package blobs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/troupe-cloud/troupe/messages"
)

// How the store's files are named and kept. The content is read by QEMU, which
// libvirt makes the owner of what it opens.
const (
	stagePrefix = ".upload-"
	stageMode   = 0o600
	blobMode    = 0o400
	dirMode     = 0o711
	nameBytes   = 64 // of a SHA-256 in hex
)

// Info says what a content is. The sums are lower-case hex.
type Info struct {
	SHA256, SHA512, MD5 string
	Size                int64
}

// Store is one directory of contents. One process at a time may have it open.
// Safe for concurrent use. It is a drivers.Images.
type Store struct {
	dir string

	mu     sync.Mutex
	held   map[string]int        // how many holds a content has
	doomed map[string]Referenced // to be removed when the last hold ends
}

// Referenced says whether anybody still wants the content that sha256 names.
type Referenced func(ctx context.Context, sha256 string) (bool, error)

// Open makes the store in dir, which is created if it is not there, and removes
// what uploads left that a crash cut short.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return nil, fmt.Errorf("blob store: %w", err)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("blob store: %w", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, stagePrefix+"*"))
	if err != nil {
		return nil, fmt.Errorf("blob store: %w", err)
	}
	for _, path := range left {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("blob store: %w", err)
		}
	}
	return &Store{dir: dir, held: map[string]int{}, doomed: map[string]Referenced{}}, nil
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
	if _, err := os.Stat(path); err != nil {
		return "", missing(sha256, err)
	}
	return path, nil
}

// Open gives the content to read; NotFound if it is not here. It stays readable
// until closed, even if it is removed meanwhile.
func (s *Store) Open(sha256 string) (*os.File, error) {
	path, err := s.path(sha256)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, missing(sha256, err)
	}
	return f, nil
}

// List names every content of the store.
func (s *Store) List() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("blob store: %w", err)
	}
	var names []string
	for _, e := range entries {
		if validName(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
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
