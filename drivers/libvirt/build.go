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
	return d.change(ctx, "build", id, func(ctx context.Context, conn *lv.Connect) error {
		dom, err := find(conn, id)
		if errors.Is(err, errForeign) {
			return fmt.Errorf("there is a domain of this id that is not ours: %w", messages.Conflict)
		}
		if err == nil {
			defer dom.Free()
			return d.finish(ctx, dom, spec.GetOrder())
		}
		if !is(err, lv.ERR_NO_DOMAIN) {
			return err
		}
		return d.buildNew(ctx, conn, spec)
	})
}

// finish makes a domain run that was defined before.
func (d *Driver) finish(ctx context.Context, dom domain, order uint64) error {
	if err := dom.fence(order); err != nil {
		return err
	}
	return d.run(ctx, dom)
}

// buildNew makes everything, or nothing.
func (d *Driver) buildNew(ctx context.Context, conn *lv.Connect, spec *messages.DomainSpec) (err error) {
	id := spec.GetInstanceId()
	var defined *lv.Domain
	defer func() {
		if err != nil {
			if failed := d.undo(ctx, id, defined); failed != nil {
				err = errors.Join(err, failed)
			}
		}
		if defined != nil {
			_ = defined.Free()
		}
	}()
	m, err := d.files(ctx, spec)
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
	if defined, err = conn.DomainDefineXMLFlags(text, lv.DOMAIN_DEFINE_VALIDATE); err != nil {
		return err
	}
	return d.run(ctx, domain{defined, metadataOf(spec)})
}

// files makes the instance's folder, with disk and config drive.
func (d *Driver) files(ctx context.Context, spec *messages.DomainSpec) (machine, error) {
	id := spec.GetInstanceId()
	m := machine{kind: d.kind, cache: d.cache, disk: d.cfg.file(id, diskName), console: d.cfg.consolePath(id), vnc: d.cfg.vncPath(id)}
	base, err := d.cfg.Images.Path(ctx, spec.GetImageSha256())
	if err != nil {
		return m, err
	}
	if base, err = filepath.Abs(base); err != nil {
		return m, err
	}
	dir := d.cfg.instanceDir(id)
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o711)); err != nil {
		return m, err
	}
	own := d.cfg.file(id, baseName)
	if err := adopt(ctx, base, own); err != nil {
		return m, err
	}
	if err := makeDisk(ctx, spec, own, m.disk); err != nil {
		return m, err
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
func (d *Driver) undo(ctx context.Context, id string, defined *lv.Domain) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime)
	defer cancel()
	if defined != nil {
		if err := erase(defined); err != nil {
			return fmt.Errorf("and the domain could not be removed: %w", err) // its files stay, for it may use them
		}
	}
	return d.sweep(ctx, id)
}

// sweep removes all that is not libvirt's own: files, socket, leases.
func (d *Driver) sweep(ctx context.Context, id string) error {
	var left error
	if d.cfg.Network != nil {
		left = d.cfg.Network.Remove(ctx, id)
	}
	if err := os.Remove(d.cfg.vncPath(id)); err != nil && !errors.Is(err, os.ErrNotExist) {
		left = errors.Join(left, err)
	}
	return errors.Join(left, os.RemoveAll(d.cfg.instanceDir(id)))
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
func (d *Driver) Delete(ctx context.Context, id string, order uint64) error {
	if !drivers.ValidID(id) {
		return nil // no such instance can ever have been built
	}
	return d.change(ctx, "delete", id, func(ctx context.Context, conn *lv.Connect) error {
		dom, err := find(conn, id)
		switch {
		case errors.Is(err, errForeign), is(err, lv.ERR_NO_DOMAIN): // only leavings of ours can be there
		case err != nil:
			return err
		default:
			defer dom.Free()
			if err := dom.fence(order); err != nil {
				return err
			}
			if err := erase(dom.Domain); err != nil {
				return err
			}
		}
		return d.sweep(ctx, id)
	})
}
