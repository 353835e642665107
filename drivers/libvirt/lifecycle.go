//go:build cgo && !nolibvirt

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	lv "libvirt.org/go/libvirt"
	"libvirt.org/go/libvirtxml"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/drivers/internal/shared"
	"github.com/troupe-cloud/troupe/messages"
)

// pressAgain is how long after a press of the power button it is pressed again:
// a guest that was still booting did not hear the first one.
const pressAgain = 5 * time.Second

// Start makes a defined domain run.
func (d *Driver) Start(ctx context.Context, id string, f drivers.Fence) error {
	return d.fenced(ctx, "start", id, f, func(ctx context.Context, _ *turn, dom domain) error {
		return d.run(ctx, dom, f.Order)
	})
}

// Stop powers the domain off; with grace the guest is asked first.
func (d *Driver) Stop(ctx context.Context, id string, f drivers.Fence, grace time.Duration) error {
	return d.fenced(ctx, "stop", id, f, func(ctx context.Context, t *turn, dom domain) error {
		return d.halt(ctx, t, dom, grace)
	})
}

// Reboot powers the domain off as Stop does, and on again.
func (d *Driver) Reboot(ctx context.Context, id string, f drivers.Fence, grace time.Duration) error {
	return d.fenced(ctx, "reboot", id, f, func(ctx context.Context, t *turn, dom domain) error {
		if err := d.halt(ctx, t, dom, grace); err != nil {
			return err
		}
		return d.run(ctx, dom, f.Order)
	})
}

// fenced runs an operation on a domain that is there, once its fence is written.
func (d *Driver) fenced(ctx context.Context, what, id string, f drivers.Fence, do func(context.Context, *turn, domain) error) error {
	return d.change(ctx, what, id, f, func(ctx context.Context, t *turn, conn *lv.Connect) error {
		dom, err := find(conn, id)
		if err != nil {
			return err
		}
		defer dom.Free()
		if err := dom.fence(f); err != nil {
			return err
		}
		return do(ctx, t, dom)
	})
}

// run makes the domain run, on a disk that is this host's.
func (d *Driver) run(ctx context.Context, dom domain, order uint64) error {
	return d.withDisk(ctx, dom.meta.Instance, func(disk *shared.Disk) error {
		if disk != nil {
			if err := disk.Keep(d.cfg.Name, order); err != nil {
				return err
			}
		}
		return d.launch(ctx, dom)
	})
}

// launch makes the domain run, on a network that knows it. A running domain is
// success; a paused one goes on.
func (d *Driver) launch(ctx context.Context, dom domain) error {
	if err := d.cfg.tellNetwork(ctx, dom.meta.Instance); err != nil {
		return err
	}
	if err := d.powerOn(ctx, dom); err != nil {
		return err
	}
	if err := d.plug(ctx, dom); err != nil {
		// Without it the guest could take another's address: better not at all.
		return errors.Join(err, d.powerOff(context.WithoutCancel(ctx), dom))
	}
	return nil
}

func (d *Driver) powerOn(ctx context.Context, dom domain) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	state, _, err := dom.GetState()
	switch {
	case err != nil:
		return err
	case state == lv.DOMAIN_PAUSED:
		return dom.Resume()
	case state != lv.DOMAIN_SHUTOFF && state != lv.DOMAIN_CRASHED:
		return nil
	}
	// A socket that a killed QEMU left would be in the way of the next.
	if err := os.Remove(d.cfg.vncPath(dom.meta.Instance)); err != nil && !os.IsNotExist(err) {
		return err
	}
	err = dom.Create()
	if is(err, lv.ERR_OPERATION_INVALID) { // somebody else was faster
		if on, look := dom.active(); look == nil && on {
			return nil
		}
	}
	return err
}

// plug ties the domain's devices on the bridge to its MACs.
func (d *Driver) plug(ctx context.Context, dom domain) error {
	if d.cfg.Network == nil {
		return nil
	}
	text, err := dom.GetXMLDesc(0)
	if err != nil {
		return err
	}
	var def libvirtxml.Domain
	if err := def.Unmarshal(text); err != nil {
		return err
	}
	for _, i := range def.Devices.Interfaces {
		if i.Target == nil || i.MAC == nil {
			continue // off again already: there is nothing to tie
		}
		if err := d.cfg.Network.Plug(ctx, i.Target.Dev, i.MAC.Address); err != nil {
			return err
		}
	}
	return nil
}

// halt powers the domain off, asking the guest first if there is grace.
func (d *Driver) halt(ctx context.Context, t *turn, dom domain, grace time.Duration) error {
	if grace > 0 {
		off, err := d.askToHalt(ctx, t, dom, grace)
		if off || err != nil {
			return err
		}
	}
	return d.powerOff(ctx, dom)
}

func (d *Driver) powerOff(ctx context.Context, dom domain) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := dom.Destroy()
	if is(err, lv.ERR_OPERATION_INVALID) { // it has ended by itself
		if on, look := dom.active(); look == nil && !on {
			return nil
		}
	}
	return err
}

// askToHalt presses the power button and waits for the event that the domain is
// off. It says whether it is.
func (d *Driver) askToHalt(ctx context.Context, t *turn, dom domain, grace time.Duration) (off bool, err error) {
	changed, end := d.await(dom.meta.Instance)
	defer end()
	deadline := time.NewTimer(grace)
	defer deadline.Stop()
	press := time.NewTicker(pressAgain)
	defer press.Stop()
	for pressed := false; ; {
		on, err := dom.active()
		if err != nil || !on {
			return !on, err
		}
		if !pressed {
			pressed = true
			if err := dom.ShutdownFlags(lv.DOMAIN_SHUTDOWN_ACPI_POWER_BTN); err != nil && !is(err, lv.ERR_OPERATION_INVALID) {
				return false, err
			}
		}
		over := false
		err = t.outside(ctx, func() error {
			select {
			case <-changed:
				if d.disconnected() {
					return fmt.Errorf("the connection to libvirt ended: %w", messages.Unavailable)
				}
			case <-press.C:
				pressed = false
			case <-deadline.C:
				over = true
			case <-ctx.Done():
				return ctx.Err()
			}
			return nil
		})
		if over || err != nil {
			return false, err
		}
	}
}

func (d *Driver) disconnected() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.link == nil
}
