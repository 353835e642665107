// Package flock owns locks between processes: flock(2) on a file, waited for no
// longer than a context lasts. The kernel lets go of them when their process ends,
// however it ends.
package flock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// How often a lock is asked for that somebody else has: flock(2) cannot be
// broken off, so it is not waited in.
const (
	firstTry   = time.Millisecond
	longestTry = 50 * time.Millisecond
)

// Mode is how a lock is shared.
type Mode int

// The modes.
const (
	Shared    Mode = syscall.LOCK_SH
	Exclusive Mode = syscall.LOCK_EX
)

// Lock opens path, which is made if need be, and locks it. Closing the file lets
// go. A lock that does not come before ctx ends is Unavailable.
func Lock(ctx context.Context, path string, mode Mode) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		if err := wait(ctx, f, mode); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		// It may have been removed by who had it before.
		mine, err := f.Stat()
		there, gone := os.Stat(path)
		if err == nil && gone == nil && os.SameFile(mine, there) {
			return f, nil
		}
		_ = f.Close()
		if gone != nil && !errors.Is(gone, os.ErrNotExist) {
			return nil, gone
		}
	}
}

func wait(ctx context.Context, f *os.File, mode Mode) error {
	for pause := firstTry; ; pause = min(2*pause, longestTry) {
		err := syscall.Flock(int(f.Fd()), int(mode)|syscall.LOCK_NB)
		if err == nil || errors.Is(err, syscall.EINTR) {
			if err == nil {
				return nil
			}
			continue
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("another process has the lock %s: %w: %w", f.Name(), ctx.Err(), messages.Unavailable)
		}
	}
}
