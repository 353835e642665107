//go:build cgo && !nolibvirt

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	lv "libvirt.org/go/libvirt"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/drivers/internal/shared"
	"github.com/troupe-cloud/troupe/messages"
)

// undoTime is how long undoing a failed build may take.
const undoTime = 30 * time.Second

// Build makes the domain exist and run. Definition comes after the files are
// complete, so a domain that is defined needs only to be started; files without a
// definition are what a crash left, and are made again.
func (d *Driver) Build(ctx context.Context, spec *messages.DomainSpec) error {
	id := spec.GetInstanceId()
	if err := drivers.CheckSpec(spec); err != nil {
		return wrap("build", id, err)
	}
	if len(spec.GetNics()) > 0 && d.cfg.Network == nil {
		return fmt.Errorf("build %s: this hypervisor has no network: %w", id, messages.Invalid)
	}
	return d.change(ctx, "build", id, drivers.FenceOf(spec), func(ctx context.Context, t *turn, conn *lv.Connect) error {
		dom, err := find(conn, id)
		if errors.Is(err, errForeign) {
			return fmt.Errorf("there is a domain of this id that is not ours: %w", messages.Conflict)
		}
		if err == nil {
			defer dom.Free()
			return d.finish(ctx, dom, spec)
		}
		if !is(err, lv.ERR_NO_DOMAIN) {
			return err
		}
		base, err := d.image(ctx, t, spec)
		if err != nil {
			return err
		}
		return d.withDisk(ctx, id, func(disk *shared.Disk) error {
			if err := d.own(disk, spec); err != nil {
				return err
			}
			return d.buildNew(ctx, conn, spec, base, disk)
		})
	})
}

// finish makes a domain run that was defined before.
func (d *Driver) finish(ctx context.Context, dom domain, spec *messages.DomainSpec) error {
	if err := dom.fence(drivers.FenceOf(spec)); err != nil || spec.GetStopped() {
		return err
	}
	return d.run(ctx, dom, spec.GetOrder())
}

// image is the file with the image's content. It may have to be fetched first,
// which can take long.
func (d *Driver) image(ctx context.Context, t *turn, spec *messages.DomainSpec) (base string, err error) {
	if spec.GetTakeDisk() {
		return "", nil
	}
	err = t.outside(ctx, func() error {
		base, err = d.cfg.Images.Path(ctx, spec.GetImageSha256())
		return err
	})
	if err != nil {
		return "", err
	}
	return filepath.Abs(base)
}

// own makes the disk this host's, as the spec says that it is to come by it.
func (d *Driver) own(disk *shared.Disk, spec *messages.DomainSpec) error {
	id, order := spec.GetInstanceId(), spec.GetOrder()
	switch {
	case disk == nil && spec.GetTakeDisk():
		return fmt.Errorf("this host shares no storage, so it has no disk of %s: %w", id, messages.NotFound)
	case disk == nil:
		return nil
	case !spec.GetTakeDisk():
		return disk.Keep(d.cfg.Name, order)
	}
	if _, err := os.Stat(d.cfg.file(id, diskName)); err != nil {
		return fmt.Errorf("the disk of %s cannot be taken over: %w: %w", id, err, messages.NotFound)
	}
	return disk.Take(d.cfg.Name, order)
}

// buildNew makes everything, or nothing; but a disk that was there stays there.
func (d *Driver) buildNew(ctx context.Context, conn *lv.Connect, spec *messages.DomainSpec, base string, disk *shared.Disk) (err error) {
	id := spec.GetInstanceId()
	var defined *lv.Domain
	defer func() {
		if err != nil {
			if failed := d.undo(ctx, id, defined, disk, spec.GetTakeDisk()); failed != nil {
				err = errors.Join(err, failed)
			}
		}
		if defined != nil {
			_ = defined.Free()
		}
	}()
	m, err := d.files(ctx, spec, base)
	if err != nil {
		return err
	}
	if err := d.cfg.tellNetwork(ctx, id); err != nil { // refused here, an address costs no start
		return err
	}
	text, err := domainXML(spec, m)
	if err != nil {
		return err
	}
	if defined, err = conn.DomainDefineXMLFlags(text, lv.DOMAIN_DEFINE_VALIDATE); err != nil || spec.GetStopped() {
		return err
	}
	return d.launch(ctx, domain{defined, metadataOf(spec)})
}

// files makes the instance's folder, with disk and config drive. A disk that is
// taken over is there, with the image's content beside it.
func (d *Driver) files(ctx context.Context, spec *messages.DomainSpec, base string) (machine, error) {
	id := spec.GetInstanceId()
	m := machine{kind: d.kind, cache: d.cache, disk: d.cfg.file(id, diskName), console: d.cfg.consolePath(id), vnc: d.cfg.vncPath(id)}
	if !spec.GetTakeDisk() {
		dir, own := d.cfg.instanceDir(id), d.cfg.file(id, baseName)
		if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o711)); err != nil {
			return m, err
		}
		if err := adopt(ctx, base, own); err != nil {
			return m, err
		}
		if err := makeDisk(ctx, spec, own, m.disk); err != nil {
			return m, err
		}
	}
	if spec.GetConfigDrive() || len(spec.GetConfigFiles()) > 0 {
		m.drive = d.cfg.file(id, configName)
		if err := makeConfigDrive(ctx, spec.GetConfigFiles(), m.drive); err != nil {
			return m, err
		}
	}
	if d.cfg.Network != nil {
		m.bridge = d.cfg.Network.Bridge()
	}
	return m, saveLeases(d.cfg.file(id, leasesName), spec)
}

// undo takes back what a failed build made, even if ctx has ended.
func (d *Driver) undo(ctx context.Context, id string, defined *lv.Domain, disk *shared.Disk, stays bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	if defined != nil {
		if err := erase(defined); err != nil {
			return fmt.Errorf("and the domain could not be removed: %w", err) // its files stay, for it may use them
		}
	}
	return d.sweep(ctx, id, disk, stays)
}

// sweep removes all that is not libvirt's own: files, socket, leases. On storage
// that hosts share the files stay if they are to, or are another host's.
func (d *Driver) sweep(ctx context.Context, id string, disk *shared.Disk, stays bool) error {
	var left error
	if d.cfg.Network != nil {
		left = d.cfg.Network.Remove(ctx, id)
	}
	if err := os.Remove(d.cfg.vncPath(id)); err != nil && !errors.Is(err, os.ErrNotExist) {
		left = errors.Join(left, err)
	}
	switch {
	case disk == nil:
		return errors.Join(left, os.RemoveAll(d.cfg.instanceDir(id)))
	case stays:
		return errors.Join(left, disk.Free(d.cfg.Name))
	case disk.Others(d.cfg.Name):
		return left
	}
	if err := os.RemoveAll(d.cfg.instanceDir(id)); err != nil {
		return errors.Join(left, err)
	}
	return errors.Join(left, disk.Forget())
}

// erase ends a domain of ours and removes its definition. One that is gone by
// now is success.
func erase(dom *lv.Domain) error {
	if err := dom.Destroy(); err != nil && !is(err, lv.ERR_OPERATION_INVALID) && !is(err, lv.ERR_NO_DOMAIN) {
		return err
	}
	const everything = lv.DOMAIN_UNDEFINE_MANAGED_SAVE | lv.DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
		lv.DOMAIN_UNDEFINE_NVRAM | lv.DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
	if err := dom.UndefineFlags(everything); err != nil && !is(err, lv.ERR_NO_DOMAIN) {
		return err
	}
	return nil
}

// Delete removes the domain and all that belongs to it.
func (d *Driver) Delete(ctx context.Context, id string, f drivers.Fence) error {
	return d.end(ctx, "delete", id, f, false)
}

// Release removes the domain, and leaves a disk that hosts share.
func (d *Driver) Release(ctx context.Context, id string, f drivers.Fence) error {
	return d.end(ctx, "release", id, f, true)
}

func (d *Driver) end(ctx context.Context, what, id string, f drivers.Fence, stays bool) error {
	if !drivers.ValidID(id) {
		return nil // no such instance can ever have been built
	}
	return d.change(ctx, what, id, f, func(ctx context.Context, _ *turn, conn *lv.Connect) error {
		dom, err := find(conn, id)
		switch {
		case errors.Is(err, errForeign), is(err, lv.ERR_NO_DOMAIN): // only leavings of ours can be there
		case err != nil:
			return err
		default:
			defer dom.Free()
			if err := dom.fence(f); err != nil {
				return err
			}
			if err := erase(dom.Domain); err != nil {
				return err
			}
		}
		return d.withDisk(ctx, id, func(disk *shared.Disk) error { return d.sweep(ctx, id, disk, stays) })
	})
}
