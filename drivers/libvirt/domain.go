//go:build cgo && !nolibvirt

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"strings"

	lv "libvirt.org/go/libvirt"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

// domain is one domain of ours, looked up.
type domain struct {
	*lv.Domain
	meta metadata
}

var errForeign = fmt.Errorf("the domain is not ours: %w", messages.NotFound)

// find looks up the instance's domain. One that is not ours is errForeign, which
// is NotFound. The caller frees what it gets.
func find(conn *lv.Connect, id string) (domain, error) {
	if !drivers.ValidID(id) {
		return domain{}, fmt.Errorf("%q is not a UUID: %w", id, messages.NotFound)
	}
	dom, err := conn.LookupDomainByUUIDString(id)
	if err != nil {
		return domain{}, err
	}
	d, err := own(dom)
	if err == nil && d.meta.Instance != id {
		err = errForeign
	}
	if err != nil {
		_ = dom.Free()
	}
	return d, err
}

// own reads our metadata from the definition: the one that outlasts a power cycle.
func own(dom *lv.Domain) (domain, error) {
	text, err := dom.GetMetadata(lv.DOMAIN_METADATA_ELEMENT, metadataURI, lv.DOMAIN_AFFECT_CONFIG)
	if is(err, lv.ERR_NO_DOMAIN_METADATA) || is(err, lv.ERR_OPERATION_INVALID) { // the latter: transient, so not ours
		return domain{}, errForeign
	}
	if err != nil {
		return domain{}, err
	}
	meta, err := parseMetadata(text)
	return domain{dom, meta}, err
}

// seen is what we tell of the domain.
func (dom domain) seen() (drivers.Domain, error) {
	state, reason, err := dom.GetState()
	if err != nil {
		return drivers.Domain{}, err
	}
	return drivers.Domain{ID: dom.meta.Instance, Power: powerOf(int(state), reason), Fence: dom.meta.fence()}, nil
}

// active says whether the domain has a process.
func (dom domain) active() (bool, error) {
	state, _, err := dom.GetState()
	return state != lv.DOMAIN_SHUTOFF && state != lv.DOMAIN_CRASHED, err
}

// fence refuses what is older than the domain has seen, and writes what is newer
// into its metadata before anything is done for it.
func (dom domain) fence(f drivers.Fence) error {
	if err := f.Against(dom.meta.fence()); err != nil || f == dom.meta.fence() {
		return err
	}
	dom.meta.Epoch, dom.meta.Order = f.Epoch, f.Order
	text, err := dom.meta.update()
	if err != nil {
		return err
	}
	return dom.SetMetadata(lv.DOMAIN_METADATA_ELEMENT, text, metadataPrefix, metadataURI, lv.DOMAIN_AFFECT_CONFIG)
}

// Domain reads one.
func (d *Driver) Domain(ctx context.Context, id string) (drivers.Domain, error) {
	return ask(ctx, d, "domain", id, func(conn *lv.Connect) (drivers.Domain, error) {
		dom, err := find(conn, id)
		if err != nil {
			return drivers.Domain{}, err
		}
		defer dom.Free()
		return dom.seen()
	})
}

// Domains lists all that are ours.
func (d *Driver) Domains(ctx context.Context) ([]drivers.Domain, error) {
	return ask(ctx, d, "list domains", "", func(conn *lv.Connect) ([]drivers.Domain, error) {
		all, err := conn.ListAllDomains(lv.CONNECT_LIST_DOMAINS_PERSISTENT)
		if err != nil {
			return nil, err
		}
		var ours []drivers.Domain
		var failed error
		for i := range all {
			dom, err := seenIfOurs(&all[i])
			if err == nil && dom.ID != "" {
				ours = append(ours, dom)
			}
			failed = errors.Join(failed, err)
			_ = all[i].Free()
		}
		return ours, failed
	})
}

// seenIfOurs is empty for a domain that is not ours, or is gone by now.
func seenIfOurs(dom *lv.Domain) (drivers.Domain, error) {
	name, err := dom.GetName()
	if err != nil || !strings.HasPrefix(name, namePrefix) {
		return drivers.Domain{}, err
	}
	mine, err := own(dom)
	if err == nil {
		seen, err := mine.seen()
		if is(err, lv.ERR_NO_DOMAIN) {
			return drivers.Domain{}, nil
		}
		return seen, err
	}
	if errors.Is(err, errForeign) || is(err, lv.ERR_NO_DOMAIN) {
		return drivers.Domain{}, nil
	}
	return drivers.Domain{}, err
}

// lookAt tells what a domain that changed is now. While an operation of ours is
// under way on it, what is seen may be halfway (off, in a reboot): the look is put
// off to the operation's end.
func (d *Driver) lookAt(id string) {
	d.wakeAll(id)
	if d.putOff(id) {
		return
	}
	conn, err := d.connection()
	if err != nil {
		return // the next Connected makes everybody look
	}
	defer conn.Close()
	dom, err := find(conn, id)
	if err == nil {
		defer dom.Free()
		var seen drivers.Domain
		if seen, err = dom.seen(); err == nil {
			d.feed.Emit(drivers.Event{Kind: drivers.Changed, Domain: seen})
			return
		}
	}
	switch {
	case errors.Is(err, errForeign):
	case errors.Is(wrap("look", id, err), messages.NotFound):
		d.feed.Emit(drivers.Event{Kind: drivers.Gone, Domain: drivers.Domain{ID: id}})
	default:
		d.cfg.Log.Warn().Err(err).Str("id", id).Msg("domain changed but cannot be read")
	}
}

func (d *Driver) putOff(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	o, busy := d.locks[id]
	if busy {
		o.changed = true
	}
	return busy
}

func (d *Driver) wakeAll(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, w := range d.waiting[id] {
		wake(w)
	}
}
