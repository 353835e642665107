// Package gate owns the file by which processes that may drive one hypervisor keep
// out of each other's way: it holds the newest epoch that the hypervisor has seen.
// Whoever acts is inside for as long as it acts; nobody of a newer epoch comes in
// meanwhile, and nobody of an older one afterwards. It knows no hypervisor.
package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/drivers/internal/flock"
	"github.com/troupe-cloud/troupe/messages"
)

// Gate is one such file, with a second beside it in which those queue who want
// to raise the epoch: many that come and go would else never let one in.
type Gate struct{ path string }

// New is the gate at path, in a folder that is there.
func New(path string) *Gate { return &Gate{path} }

// Enter lets an operation of the epoch in until leave is called; a newer epoch
// than was seen is noted first. An older one is drivers.ErrSuperseded.
func (g *Gate) Enter(ctx context.Context, epoch uint64) (leave func(), err error) {
	for {
		f, seen, err := g.open(ctx, flock.Shared)
		if err != nil {
			return nil, err
		}
		switch {
		case epoch == seen:
			return func() { _ = f.Close() }, nil
		case epoch < seen:
			return nil, errors.Join(drivers.Superseded(seen, epoch), f.Close())
		}
		if err := errors.Join(f.Close(), g.Raise(ctx, epoch)); err != nil {
			return nil, err
		}
	}
}

// Raise notes the epoch once everybody of an older one has left. It is on the disk
// when Raise returns.
func (g *Gate) Raise(ctx context.Context, epoch uint64) (err error) {
	f, seen, err := g.open(ctx, flock.Exclusive)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	switch {
	case epoch == seen:
		return nil
	case epoch < seen:
		return drivers.Superseded(seen, epoch)
	}
	// In place, for the lock is on this very file; always the same length, so that
	// no crash can leave half a number.
	if _, err := f.WriteAt(fmt.Appendf(nil, "%020d\n", epoch), 0); err != nil {
		return err
	}
	return f.Sync()
}

// open locks the file and reads it.
func (g *Gate) open(ctx context.Context, mode flock.Mode) (*os.File, uint64, error) {
	queue, err := flock.Lock(ctx, g.path+".queue", mode)
	if err != nil {
		return nil, 0, err
	}
	defer queue.Close()
	f, err := flock.Lock(ctx, g.path, mode)
	if err != nil {
		return nil, 0, err
	}
	seen, err := read(f)
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, seen, nil
}

func read(f *os.File) (uint64, error) {
	text := make([]byte, 32)
	n, err := f.ReadAt(text, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if n == 0 {
		return 0, nil // nobody was here yet
	}
	seen, err := parse(text[:n])
	if err != nil {
		return 0, fmt.Errorf("%s: %w: %w", f.Name(), err, messages.Internal)
	}
	return seen, nil
}

// parse reads what Raise writes, and nothing else.
func parse(text []byte) (uint64, error) {
	if len(text) != 21 || text[20] != '\n' {
		return 0, fmt.Errorf("%q is no epoch", text)
	}
	for _, c := range text[:20] {
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("%q is no epoch", text)
		}
	}
	return strconv.ParseUint(string(text[:20]), 10, 64)
}
