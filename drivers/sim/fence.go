package sim

import (
	"context"
	"fmt"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

// admit notes an epoch, or refuses an older one. Called with mu held.
func (d *machine) admit(epoch uint64) error {
	switch {
	case epoch < d.epoch:
		return fmt.Errorf("hypervisor %s: %w", d.cfg.Name, drivers.Superseded(d.epoch, epoch))
	case epoch == d.epoch:
		return nil
	}
	if err := d.cfg.Journal.write(d.cfg.Name, theHost, &domain{Epoch: epoch}); err != nil {
		return fmt.Errorf("hypervisor %s: %w: %w", d.cfg.Name, err, messages.Internal)
	}
	d.epoch = epoch
	return nil
}

// fenced is the domain, if the fence lets it be changed. Called with mu held, by
// each act anew: what was checked before a pause counts no more.
func (d *machine) fenced(id string, f drivers.Fence) (domain, error) {
	if err := d.admit(f.Epoch); err != nil {
		return domain{}, err
	}
	dom, err := d.find(id)
	if err == nil {
		err = f.Against(dom.fence())
	}
	if err != nil {
		return dom, fmt.Errorf("domain %s: %w", id, err)
	}
	return dom, nil
}

// fence writes the fence into the domain before anything is done for it.
func (d *machine) fence(id string, f drivers.Fence) (domain, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	dom, err := d.fenced(id, f)
	if err != nil || dom.fence() == f {
		return dom, err
	}
	dom.see(f)
	return dom, d.put(id, dom)
}

// claim makes the disk of a build this host's.
func (d *machine) claim(ctx context.Context, spec *messages.DomainSpec) error {
	id, order := spec.GetInstanceId(), spec.GetOrder()
	if d.cfg.Shared == nil {
		if spec.GetTakeDisk() {
			return fmt.Errorf("hypervisor %s shares no storage, so it has no disk of %s: %w", d.cfg.Name, id, messages.NotFound)
		}
		return nil
	}
	disk, err := d.cfg.Shared.Lock(ctx, id)
	if err != nil {
		return err
	}
	defer disk.Unlock()
	switch {
	case !spec.GetTakeDisk():
		return disk.Keep(d.cfg.Name, order)
	case !disk.Known():
		return fmt.Errorf("the disk of %s is not there: %w", id, messages.NotFound)
	}
	return disk.Take(d.cfg.Name, order)
}

// keep refuses to run on a disk that is another host's.
func (d *machine) keep(ctx context.Context, id string, f drivers.Fence) error {
	if d.cfg.Shared == nil {
		return nil
	}
	disk, err := d.cfg.Shared.Lock(ctx, id)
	if err != nil {
		return err
	}
	defer disk.Unlock()
	return disk.Keep(d.cfg.Name, f.Order)
}

// letGo removes the disk if it is this host's, or leaves it for others.
func (d *machine) letGo(ctx context.Context, id string, stays bool) error {
	if d.cfg.Shared == nil {
		return nil
	}
	disk, err := d.cfg.Shared.Lock(ctx, id)
	if err != nil {
		return err
	}
	defer disk.Unlock()
	if stays {
		return disk.Free(d.cfg.Name)
	}
	if disk.Others(d.cfg.Name) {
		return nil
	}
	return disk.Forget()
}
