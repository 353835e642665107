//go:build cgo && !nolibvirt

package libvirt

import (
	"context"
	"errors"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/drivers/internal/shared"
)

// turn is one changing operation under way. While it is inside the gate no newer
// epoch leads, in this process or another: what was checked holds. Where it waits
// for something that is not its own work it goes outside, and is checked anew.
type turn struct {
	d      *Driver
	fence  drivers.Fence
	leave  func()
	inside bool
}

// takeTurn runs an operation inside the gate.
func (d *Driver) takeTurn(ctx context.Context, what string, fence drivers.Fence, f func(*turn) error) error {
	t := &turn{d: d, fence: fence}
	if err := t.enter(ctx); err != nil {
		return err
	}
	defer t.exit()
	if d.halfway != nil {
		d.halfway(what)
	}
	return f(t)
}

func (t *turn) enter(ctx context.Context) error {
	leave, err := t.d.gate.Enter(ctx, t.fence.Epoch)
	if err == nil {
		t.leave, t.inside = leave, true
	}
	return err
}

func (t *turn) exit() {
	if t.inside {
		t.inside = false
		t.leave()
	}
}

// outside waits for something without keeping a newer epoch out.
func (t *turn) outside(ctx context.Context, wait func() error) error {
	t.exit()
	err := wait()
	// Also after ctx has ended: what is to be undone has to be done inside.
	return errors.Join(err, t.enter(context.WithoutCancel(ctx)))
}

// Lead ends the time of older epochs.
func (d *Driver) Lead(ctx context.Context, epoch uint64) error {
	return wrap("lead", "", d.gate.Raise(ctx, epoch))
}

// withDisk holds the instance's disk while f runs, where hosts share the storage.
// Elsewhere there is nothing to hold, and f gets nil.
func (d *Driver) withDisk(ctx context.Context, id string, f func(*shared.Disk) error) error {
	if d.storage == nil {
		return f(nil)
	}
	disk, err := d.storage.Lock(ctx, id)
	if err != nil {
		return err
	}
	defer disk.Unlock()
	return f(disk)
}
