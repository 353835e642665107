package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

// Build makes the domain exist and run. It defines first and starts after the
// build's latency, so a crash of the process in between leaves a defined domain
// that is shut off, as a real hypervisor would have it.
func (d *Driver) Build(ctx context.Context, spec *messages.DomainSpec) error {
	if err := drivers.CheckSpec(spec); err != nil {
		return err
	}
	id, order := spec.GetInstanceId(), spec.GetOrder()
	return d.change(ctx, OpBuild, id, func(Fault) error {
		if d.cfg.Images != nil {
			if _, err := d.cfg.Images.Path(ctx, spec.GetImageSha256()); err != nil {
				return err
			}
		}
		made, err := d.define(spec)
		if err == nil {
			err = d.wait(ctx, d.cfg.Latency.Build, nil)
		}
		if err == nil {
			err = d.set(id, order, running, false)
		}
		if err != nil && made {
			d.undo(id)
		}
		return err
	})
}

// define adds the domain, shut off, unless it is there already.
func (d *Driver) define(spec *messages.DomainSpec) (made bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	id := spec.GetInstanceId()
	if d.foreign[id] {
		return false, fmt.Errorf("hypervisor %s has a domain %s that is not ours: %w", d.cfg.Name, id, messages.Conflict)
	}
	if dom, ok := d.domains[id]; ok {
		return false, checkOrder(dom, id, spec.GetOrder())
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
func (d *Driver) Start(ctx context.Context, id string, order uint64) error {
	return d.change(ctx, OpStart, id, func(Fault) error {
		if dom, err := d.fence(id, order); err != nil || dom.Power == running {
			return err
		}
		if err := d.wait(ctx, d.cfg.Latency.Start, nil); err != nil {
			return err
		}
		return d.set(id, order, running, false)
	})
}

// Stop powers the domain off; with grace the guest is asked first.
func (d *Driver) Stop(ctx context.Context, id string, order uint64, grace time.Duration) error {
	return d.change(ctx, OpStop, id, func(f Fault) error {
		dom, err := d.fence(id, order)
		if err != nil || dom.Power != running {
			return err
		}
		if err := d.wait(ctx, d.cfg.Latency.Stop, d.ask(grace, f)); err != nil {
			return err
		}
		return d.set(id, order, shutdown, false)
	})
}

// Reboot restarts the domain, or starts one that is off.
func (d *Driver) Reboot(ctx context.Context, id string, order uint64, grace time.Duration) error {
	return d.change(ctx, OpReboot, id, func(f Fault) error {
		dom, err := d.fence(id, order)
		if err != nil {
			return err
		}
		if dom.Power != running {
			grace = 0
		}
		if err := d.wait(ctx, d.cfg.Latency.Reboot, d.ask(grace, f)); err != nil {
			return err
		}
		return d.set(id, order, running, true)
	})
}

// Delete removes the domain and all that belongs to it.
func (d *Driver) Delete(ctx context.Context, id string, order uint64) error {
	return d.change(ctx, OpDelete, id, func(Fault) error {
		d.mu.Lock()
		dom, ok := d.domains[id]
		d.mu.Unlock()
		if !ok {
			return nil
		}
		if err := checkOrder(dom, id, order); err != nil {
			return err
		}
		if err := d.wait(ctx, d.cfg.Latency.Delete, nil); err != nil {
			return err
		}
		return d.remove(id, true)
	})
}

// change runs one operation between its faults.
func (d *Driver) change(ctx context.Context, op Op, id string, do func(Fault) error) error {
	if err := d.reach(ctx); err != nil {
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

// fence writes the order into the domain before anything is done for it.
func (d *Driver) fence(id string, order uint64) (domain, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	dom, err := d.find(id)
	if err == nil {
		err = checkOrder(dom, id, order)
	}
	if err != nil || dom.Order == order {
		return dom, err
	}
	dom.Order = order
	return dom, d.put(id, dom)
}

func checkOrder(dom domain, id string, order uint64) error {
	if order < dom.Order {
		return fmt.Errorf("domain %s has seen order %d, %d is older: %w", id, dom.Order, order, messages.Conflict)
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
func (d *Driver) wait(ctx context.Context, latency time.Duration, guest *time.Duration) error {
	if j := d.cfg.Latency.Jitter; latency > 0 && j > 0 {
		d.mu.Lock()
		latency = time.Duration(float64(latency) * (1 - j/2 + j*rand.New(&d.rand).Float64()))
		d.mu.Unlock()
	}
	if guest != nil {
		latency += *guest
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
