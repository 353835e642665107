package images

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/troupe-cloud/troupe/drivers/blobs"
)

// leftoverTime is how long a copy in the shared folder may go without being
// written to before it counts as what a crash has left.
const leftoverTime = 24 * time.Hour

// touch says that a content is about to be referred to, by the folder's own clock.
func touch(path string) error {
	return unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Nsec: unix.UTIME_NOW}}, 0)
}

// now is what time the folder's server has: nodes' clocks may differ from it.
func (s *Shared) now() (time.Time, error) {
	f, err := os.CreateTemp(s.dir, sharedUpload+"*")
	if err != nil {
		return time.Time{}, sharedError(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return time.Time{}, sharedError(err)
	}
	return st.ModTime(), nil
}

// Discard removes a content from the folder, and has the other nodes drop their
// copies. One that was touched within HoldTime may be about to be referred to: it
// is left to a sweep.
func (b *sharedBackend) Discard(ctx context.Context, sha256 string, wanted blobs.Referenced) error {
	err := b.remove(ctx, sha256, wanted)
	b.broadcast(ctx, sha256)
	return err
}

// remove takes a content out of the folder, unless it is wanted or fresh. It is
// renamed first and looked at again under a name that nobody else touches: so an
// upload that touched it after we asked is seen, and gets it back.
func (b *sharedBackend) remove(ctx context.Context, sha256 string, wanted blobs.Referenced) error {
	path := b.file(sha256)
	now, err := b.now()
	if err != nil {
		return err
	}
	if fresh, err := b.fresh(path, now); err != nil || fresh {
		return ignoreAbsent(err)
	}
	if yes, err := wanted(ctx, sha256); err != nil || yes {
		return err
	}
	trash := filepath.Join(b.dir, sharedTrash+sha256+"-"+rand.Text())
	if err := os.Rename(path, trash); err != nil {
		return ignoreAbsent(err)
	}
	fresh, err := b.fresh(trash, now)
	if err != nil || fresh {
		return errors.Join(err, restore(trash, path))
	}
	return ignoreAbsent(os.Remove(trash))
}

// restore puts a content back, unless it was written anew meanwhile.
func restore(trash, path string) error {
	if err := os.Link(trash, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return ignoreAbsent(err)
	}
	return ignoreAbsent(os.Remove(trash))
}

// fresh says whether a file was touched within HoldTime. It is opened, because
// only then does NFS ask the server.
func (b *sharedBackend) fresh(path string, now time.Time) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return false, err
	}
	return now.Sub(st.ModTime()) < b.limits.HoldTime, nil
}

// Sweep removes from the folder what no image refers to, and what crashes have
// left. Every node does so in its own time; that another was faster is success.
func (b *sharedBackend) Sweep(ctx context.Context, wanted blobs.Referenced) error {
	now, err := b.now()
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		return sharedError(err)
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			continue // somebody else has removed it
		}
		age := now.Sub(info.ModTime())
		switch name := e.Name(); {
		case validName(name):
			if err := b.remove(ctx, name, wanted); err != nil {
				return err
			}
		case strings.HasPrefix(name, sharedUpload) && age > leftoverTime:
			_ = os.Remove(filepath.Join(b.dir, name)) // else the next sweep
		case strings.HasPrefix(name, sharedTrash):
			if err := b.sweepTrash(ctx, name, age, wanted); err != nil {
				return err
			}
		}
	}
	return nil
}

// sweepTrash ends what a node left that died between the two steps of a removal.
func (b *sharedBackend) sweepTrash(ctx context.Context, name string, age time.Duration, wanted blobs.Referenced) error {
	sha256, _, ok := strings.Cut(strings.TrimPrefix(name, sharedTrash), "-")
	path := filepath.Join(b.dir, name)
	if !ok || !validName(sha256) {
		return nil // not ours
	}
	yes, err := wanted(ctx, sha256)
	if err != nil {
		return err
	}
	if fresh := age < b.limits.HoldTime; yes || fresh {
		return restore(path, b.file(sha256))
	}
	return ignoreAbsent(os.Remove(path))
}

// Repair makes sure that the folder is there: it has nothing to copy.
func (b *sharedBackend) Repair(context.Context, []string) error {
	_, err := b.now()
	return err
}

func ignoreAbsent(err error) error {
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("the shared image folder: %w", err)
}
