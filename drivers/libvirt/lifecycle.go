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

	"github.com/troupe-cloud/troupe/messages"
)

// pressAgain is how long after a press of the power button it is pressed again:
// a guest that was still booting did not hear the first one.
const pressAgain = 5 * time.Second

// Start makes a defined domain run.
func (d *Driver) Start(ctx context.Context, id string, order uint64) error {
	return d.fenced(ctx, "start", id, order, func(ctx context.Context, _ *lv.Connect, dom domain) error {
		return d.run(ctx, dom)
	})
}

// Stop powers the domain off; with grace the guest is asked first.
func (d *Driver) Stop(ctx context.Context, id string, order uint64, grace time.Duration) error {
	return d.fenced(ctx, "stop", id, order, func(ctx context.Context, _ *lv.Connect, dom domain) error {
		return d.halt(ctx, dom, grace)
	})
}

// Reboot powers the domain off as Stop does, and on again.
func (d *Driver) Reboot(ctx context.Context, id string, order uint64, grace time.Duration) error {
	return d.fenced(ctx, "reboot", id, order, func(ctx context.Context, _ *lv.Connect, dom domain) error {
		if err := d.halt(ctx, dom, grace); err != nil {
			return err
		}
		return d.run(ctx, dom)
	})
}

// fenced runs an operation on a domain that is there, once its order is written.
func (d *Driver) fenced(ctx context.Context, what, id string, order uint64, f func(context.Context, *lv.Connect, domain) error) error {
	return d.change(ctx, what, id, func(ctx context.Context, conn *lv.Connect) error {
		dom, err := find(conn, id)
		if err != nil {
			return err
		}
		defer dom.Free()
		if err := dom.fence(order); err != nil {
			return err
		}
		return f(ctx, conn, dom)
	})
}

// run makes the domain run, on a network that knows it. A running domain is
// success; a paused one goes on.
func (d *Driver) run(ctx context.Context, dom domain) error {
	if err := d.cfg.tellNetwork(ctx, dom.meta.Instance); err != nil {
		return err
	}
	if err := d.powerOn(ctx, dom); err != nil {
		return err
	}
	if err := d.plug(ctx, dom); err != nil {
		// Without it the guest could take another's address: better not at all.
		return errors.Join(err, d.halt(context.WithoutCancel(ctx), dom, 0))
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
func (d *Driver) halt(ctx context.Context, dom domain, grace time.Duration) error {
	if grace > 0 {
		off, err := d.askToHalt(ctx, dom, grace)
		if off || err != nil {
			return err
		}
	}
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
func (d *Driver) askToHalt(ctx context.Context, dom domain, grace time.Duration) (off bool, err error) {
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
		select {
		case <-changed:
			if d.disconnected() {
				return false, fmt.Errorf("the connection to libvirt ended: %w", messages.Unavailable)
			}
		case <-press.C:
			pressed = false
		case <-deadline.C:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

func (d *Driver) disconnected() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.link == nil
}
