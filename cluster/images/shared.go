package images

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/troupe-cloud/troupe/drivers/blobs"
	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/durable"
)

// Names and modes of a shared folder's files.
const (
	sharedUpload = ".upload-" // of a copy that is not whole yet
	sharedTrash  = ".trash-"  // of a content that is on its way out: .trash-SHA256-RANDOM
	sharedMode   = 0o444
)

// Shared is a folder that all nodes see, for instance by NFS, and that keeps the
// contents. Any number of nodes write to it without asking each other: a content
// is written under a name of its own and renamed, so it is there whole or not at
// all; equal contents replace each other. Each node copies what it needs into its
// local store, checked, so that the folder is read once by each host.
type Shared struct {
	dir string
	id  string // of the folder
}

// sharedBackend is the folder as one node uses it.
type sharedBackend struct {
	*Shared
	*Images
}

func (s *Shared) backend(i *Images) Backend { return &sharedBackend{s, i} }

// Name is told to other nodes.
func (b *sharedBackend) Name() string { return "shared:" + b.id }

func (s *Shared) file(sha256 string) string { return filepath.Join(s.dir, sha256) }

// Keep copies an upload into the folder. That it was written, or was there
// already, a moment ago keeps it from being discarded for HoldTime; so release
// has only the local copy to let go.
func (b *sharedBackend) Keep(ctx context.Context, st *blobs.Staged) (func(context.Context) error, error) {
	for range maxRestarts {
		err := b.write(ctx, st)
		if err != nil {
			st.Drop()
			return nil, err
		}
		// Somebody who was about to discard it when we touched it has put it back
		// by the time he is done; if it is not here now, it is written again.
		if b.has(st.Info.SHA256, st.Info.Size) {
			return st.KeepHere()
		}
	}
	st.Drop()
	return nil, fmt.Errorf("the shared folder loses what is written to it: %w", messages.Unavailable)
}

// write makes sure that a content is there and was touched just now.
func (b *sharedBackend) write(ctx context.Context, st *blobs.Staged) (err error) {
	path := b.file(st.Info.SHA256)
	if b.has(st.Info.SHA256, st.Info.Size) {
		if err := touch(path); err == nil {
			return nil
		}
	}
	f, err := os.CreateTemp(b.dir, sharedUpload+"*")
	if err != nil {
		return sharedError(err)
	}
	defer func() {
		if e := f.Close(); err == nil && e != nil {
			err = sharedError(e) // NFS may say only now that there is no room
		}
		if err != nil {
			_ = os.Remove(f.Name()) // else the sweep does
		}
	}()
	if err := copyAll(ctx, f, io.NewSectionReader(st, 0, st.Info.Size)); err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(sharedMode), f.Sync()); err != nil {
		return sharedError(err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return sharedError(err)
	}
	if err := durable.SyncDir(b.dir); err != nil {
		return sharedError(err)
	}
	return nil
}

// has says whether a content is there, by its size: what has its name was whole.
func (s *Shared) has(sha256 string, size int64) bool {
	st, err := os.Stat(s.file(sha256))
	return err == nil && st.Mode().IsRegular() && (size < 0 || st.Size() == size)
}

// Fetch copies a content into the local store.
func (b *sharedBackend) Fetch(ctx context.Context, sha256, _ string) error {
	f, err := b.open(sha256)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return sharedError(err)
	}
	if err := b.room(ctx, sha256, info.Size()); err != nil {
		return err
	}
	st, err := b.local.Stage(ctx, f, info.Size())
	if err != nil {
		return err
	}
	defer st.Drop()
	if st.Info.SHA256 != sha256 {
		b.counters.wrong.Add(1)
		b.log.Error().Str("sha256", sha256).Str("file", f.Name()).Msg("the shared folder has a damaged content")
		return fmt.Errorf("the shared content %s is damaged: %w", sha256, messages.Unavailable)
	}
	b.counters.fetched.Add(info.Size())
	release, err := st.KeepHere()
	if err != nil {
		return err
	}
	return release(ctx)
}

func (s *Shared) open(sha256 string) (*os.File, error) {
	f, err := os.Open(s.file(sha256))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("content %s is not in the shared folder: %w", sha256, messages.NotFound)
	}
	if err != nil {
		return nil, sharedError(err)
	}
	return f, nil
}

// Open reads a content where it is.
func (b *sharedBackend) Open(_ context.Context, sha256 string) (blobs.Content, error) {
	f, err := b.open(sha256)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Bound is false: the folder's copy is the one that counts.
func (b *sharedBackend) Bound(string) bool { return false }

// Expendable are those that are in the folder.
func (b *sharedBackend) Expendable(_ context.Context, sha256 []string) (yes []string) {
	for _, content := range sha256 {
		if size, ok := b.local.Has(content); ok && b.has(content, size) {
			yes = append(yes, content)
		}
	}
	return yes
}

// Copies is one of one: how safe the folder is, is not for us to know.
func (b *sharedBackend) Copies(_ context.Context, sha256 string) (have, want int, err error) {
	return btoi(b.has(sha256, -1)), 1, nil
}

// sharedError says what went wrong with the folder in the words of a caller.
func sharedError(err error) error {
	for _, no := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, no) {
			return fmt.Errorf("there is no room left in the shared image folder: %w", messages.Exhausted)
		}
	}
	return fmt.Errorf("the shared image folder: %w: %w", err, messages.Unavailable)
}

func copyAll(ctx context.Context, to *os.File, from io.Reader) error {
	buf := make([]byte, sendBytes)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := from.Read(buf)
		if _, werr := to.Write(buf[:n]); werr != nil {
			return sharedError(werr)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
