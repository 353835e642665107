package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

// Lead ends the time of older epochs. Every act looks at the epoch again, under
// the lock that this takes: there is nobody to wait for.
func (d *Driver) Lead(ctx context.Context, epoch uint64) error {
	if err := d.reach(ctx); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.admit(epoch)
}

// Build makes the domain exist and run. It defines first and starts after the
// build's latency, so a crash of the process in between leaves a defined domain
// that is shut off, as a real hypervisor would have it.
func (d *Driver) Build(ctx context.Context, spec *messages.DomainSpec) error {
	if err := drivers.CheckSpec(spec); err != nil {
		return err
	}
	id, f := spec.GetInstanceId(), drivers.FenceOf(spec)
	return d.change(ctx, OpBuild, id, f, func(Fault) error {
		if d.cfg.Images != nil {
			if _, err := d.cfg.Images.Path(ctx, spec.GetImageSha256()); err != nil {
				return err
			}
		}
		made, err := d.define(ctx, spec)
		if err == nil {
			err = d.wait(ctx, OpBuild, d.cfg.Latency.Build, nil)
		}
		if err == nil && !spec.GetStopped() {
			err = d.set(id, f, running, false)
		}
		if err != nil && made {
			d.undo(id, f)
			err = errors.Join(err, d.letGo(context.WithoutCancel(ctx), id, spec.GetTakeDisk()))
		}
		return err
	})
}

// define adds the domain, shut off, unless it is there already.
func (d *Driver) define(ctx context.Context, spec *messages.DomainSpec) (made bool, err error) {
	id, f := spec.GetInstanceId(), drivers.FenceOf(spec)
	if err := d.claim(ctx, spec); err != nil {
		return false, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.foreign[id] {
		return false, fmt.Errorf("hypervisor %s has a domain %s that is not ours: %w", d.cfg.Name, id, messages.Conflict)
	}
	switch dom, err := d.fenced(id, f); {
	case err == nil:
		dom.see(f)
		return false, d.put(id, dom)
	case !errors.Is(err, messages.NotFound):
		return false, err
	}
	dom := newDomain(spec)
	if err := d.room("vCPUs", d.used.vcpus, int64(dom.VCPUs), int64(d.cfg.VCPUs), d.cfg.CPURatio); err != nil {
		return false, err
	}
	if err := d.room("GiB of disk", d.used.diskGiB, int64(dom.DiskGiB), d.cfg.DiskGiB, d.cfg.DiskRatio); err != nil {
		return false, err
	}
	if err := d.room("MiB of memory", d.used.ramMiB, dom.RAMMiB, d.cfg.RAMMiB, d.cfg.RAMRatio); err != nil {
		return false, err
	}
	return true, d.put(id, dom)
}

// Start makes a defined domain run.
func (d *Driver) Start(ctx context.Context, id string, f drivers.Fence) error {
	return d.change(ctx, OpStart, id, f, func(Fault) error {
		if dom, err := d.fence(id, f); err != nil || dom.Power == running {
			return err
		}
		if err := d.keep(ctx, id, f); err != nil {
			return err
		}
		if err := d.wait(ctx, OpStart, d.cfg.Latency.Start, nil); err != nil {
			return err
		}
		return d.set(id, f, running, false)
	})
}

// Stop powers the domain off; with grace the guest is asked first.
func (d *Driver) Stop(ctx context.Context, id string, f drivers.Fence, grace time.Duration) error {
	return d.change(ctx, OpStop, id, f, func(fault Fault) error {
		dom, err := d.fence(id, f)
		if err != nil || dom.Power != running {
			return err
		}
		if err := d.wait(ctx, OpStop, d.cfg.Latency.Stop, d.ask(grace, fault)); err != nil {
			return err
		}
		return d.set(id, f, shutdown, false)
	})
}

// Reboot restarts the domain, or starts one that is off.
func (d *Driver) Reboot(ctx context.Context, id string, f drivers.Fence, grace time.Duration) error {
	return d.change(ctx, OpReboot, id, f, func(fault Fault) error {
		dom, err := d.fence(id, f)
		if err != nil {
			return err
		}
		if err := d.keep(ctx, id, f); err != nil {
			return err
		}
		if dom.Power != running {
			grace = 0
		}
		if err := d.wait(ctx, OpReboot, d.cfg.Latency.Reboot, d.ask(grace, fault)); err != nil {
			return err
		}
		return d.set(id, f, running, true)
	})
}

// Delete removes the domain and all that belongs to it.
func (d *Driver) Delete(ctx context.Context, id string, f drivers.Fence) error {
	return d.end(ctx, OpDelete, id, f)
}

// Release removes the domain, and leaves a disk that hosts share.
func (d *Driver) Release(ctx context.Context, id string, f drivers.Fence) error {
	return d.end(ctx, OpRelease, id, f)
}

func (d *Driver) end(ctx context.Context, op Op, id string, f drivers.Fence) error {
	return d.change(ctx, op, id, f, func(Fault) error {
		_, err := d.fence(id, f)
		absent := errors.Is(err, messages.NotFound)
		if err != nil && !absent {
			return err
		}
		if !absent {
			if err := d.wait(ctx, op, d.cfg.Latency.Delete, nil); err != nil {
				return err
			}
			if err := d.remove(id, f, true); err != nil {
				return err
			}
		}
		return d.letGo(ctx, id, op == OpRelease)
	})
}

// change runs one operation between its faults.
func (d *Driver) change(ctx context.Context, op Op, id string, fence drivers.Fence, do func(Fault) error) error {
	if err := d.Lead(ctx, fence.Epoch); err != nil {
		return err
	}
	f := d.fault(op, id)
	switch f {
	case FailBefore:
		return fmt.Errorf("%s %s: the hypervisor refused: %w", op, id, messages.Internal)
	case LostBefore:
		d.lose("connection reset")
		return fmt.Errorf("%s %s: connection reset: %w", op, id, messages.Unavailable)
	}
	if err := do(f); err != nil {
		return err
	}
	switch f {
	case FailAfter:
		return fmt.Errorf("%s %s: the hypervisor's answer made no sense: %w", op, id, messages.Internal)
	case LostAfter:
		d.lose("connection reset")
		return fmt.Errorf("%s %s: connection reset: %w", op, id, messages.Unavailable)
	case CrashAfter:
		d.Crash(id)
	}
	return nil
}

// ask is how long a guest takes that was asked to power off; nil: it was not.
func (d *Driver) ask(grace time.Duration, f Fault) *time.Duration {
	if grace <= 0 {
		return nil
	}
	if f != IgnoreACPI {
		grace = min(grace, d.cfg.Latency.Shutdown)
	}
	return &grace
}

// wait lets an operation's latency pass, and that of a guest that was asked.
func (d *Driver) wait(ctx context.Context, op Op, latency time.Duration, guest *time.Duration) error {
	if j := d.cfg.Latency.Jitter; latency > 0 && j > 0 {
		d.mu.Lock()
		latency = time.Duration(float64(latency) * (1 - j/2 + j*rand.New(&d.rand).Float64()))
		d.mu.Unlock()
	}
	if guest != nil {
		latency += *guest
	}
	if d.halfway != nil {
		d.halfway(op)
	}
	if latency <= 0 {
		return nil
	}
	t := time.NewTimer(latency)
	defer t.Stop()
	select {
	case <-t.C:
		return d.reach(ctx)
	case <-ctx.Done():
		return d.reach(ctx)
	}
}
