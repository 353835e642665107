package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

// set gives the domain its power; boot starts it anew even if it runs already.
func (d *machine) set(id string, f drivers.Fence, power uint8, boot bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	dom, err := d.fenced(id, f)
	if err != nil {
		return err
	}
	was := dom
	if power == running && dom.Power != running {
		if err := d.room("MiB of memory", d.used.ramMiB, dom.RAMMiB, d.cfg.RAMMiB, d.cfg.RAMRatio); err != nil {
			return err
		}
	}
	if power == running && (boot || dom.Power != running) {
		dom.Boots++
	}
	dom.Power = power
	dom.see(f)
	if dom == was {
		return nil
	}
	if err := d.put(id, dom); err != nil {
		return err
	}
	if dom.Power != was.Power || dom.Boots != was.Boots {
		d.feed.Emit(drivers.Event{Kind: drivers.Changed, Domain: dom.seen(id)})
	}
	return nil
}

// put stores the domain and its share of the capacity. Called with mu held.
func (d *machine) put(id string, dom domain) error {
	if err := d.cfg.Journal.write(d.cfg.Name, id, &dom); err != nil {
		return fmt.Errorf("hypervisor %s: %w: %w", d.cfg.Name, err, messages.Internal)
	}
	if was, ok := d.domains[id]; ok {
		d.used.remove(was)
	}
	d.domains[id] = dom
	d.used.add(dom)
	return nil
}

// remove ends the domain, if the fence lets it. tell says whether anybody could
// have seen it.
func (d *machine) remove(id string, f drivers.Fence, tell bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.fenced(id, f); err != nil && !errors.Is(err, messages.NotFound) {
		return err
	}
	return d.drop(id, tell)
}

// drop is remove without a question. Called with mu held.
func (d *machine) drop(id string, tell bool) error {
	dom, ok := d.domains[id]
	if !ok {
		return nil
	}
	if err := d.cfg.Journal.write(d.cfg.Name, id, nil); err != nil {
		return fmt.Errorf("hypervisor %s: %w: %w", d.cfg.Name, err, messages.Internal)
	}
	d.used.remove(dom)
	delete(d.domains, id)
	if tell {
		d.feed.Emit(drivers.Event{Kind: drivers.Gone, Domain: drivers.Domain{ID: id, Fence: dom.fence()}})
	}
	return nil
}

// undo takes back a definition, if the hypervisor can still be told to.
func (d *machine) undo(id string, f drivers.Fence) {
	d.mu.Lock()
	lost := d.lost
	d.mu.Unlock()
	if !lost {
		_ = d.remove(id, f, false) // the build's own error is the one to tell
	}
}

// Crash kills the domain's guest as a power cut would. An absent or stopped
// domain is left alone.
func (d *Driver) Crash(id string) { d.stopped(id, crashed) }

// PowerOff is the guest powering itself off, unasked.
func (d *Driver) PowerOff(id string) { d.stopped(id, shutdown) }

// stopped has a domain that runs stop by itself, and tells.
func (d *Driver) stopped(id string, how uint8) {
	d.mu.Lock()
	defer d.mu.Unlock()
	dom, ok := d.domains[id]
	if !ok || dom.Power != running {
		return
	}
	dom.Power = how
	if d.put(id, dom) == nil {
		d.feed.Emit(drivers.Event{Kind: drivers.Changed, Domain: dom.seen(id)})
	}
}

// Vanish removes the domain behind everybody's back, as an operator with the
// hypervisor's own tools would.
func (d *Driver) Vanish(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = d.drop(id, true)
}

// AddForeign puts a domain there that Troupe did not make. It is never listed,
// changed or removed.
func (d *Driver) AddForeign(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.foreign == nil {
		d.foreign = map[string]bool{}
	}
	d.foreign[id] = true
}

// HasForeign says whether a foreign domain is still there.
func (d *Driver) HasForeign(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.foreign[id]
}

// Half leaves what a build leaves that was cut off in the middle: a domain that
// is defined and has never run.
func (d *Driver) Half(spec *messages.DomainSpec) error {
	_, err := d.define(context.Background(), spec)
	return err
}

// Disconnect cuts the connection until Reconnect. What happens to domains
// meanwhile is not told.
func (d *machine) Disconnect(reason string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.lost {
		d.lost = true
		d.cut++
		d.feed.Lost(reason)
	}
}

// Reconnect ends a Disconnect.
func (d *machine) Reconnect() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.lost {
		d.lost = false
		d.feed.Connected()
	}
}

// lose cuts the connection; it comes back by itself.
func (d *machine) lose(reason string) {
	d.Disconnect(reason)
	if d.cfg.Latency.Reconnect <= 0 {
		d.Reconnect()
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	cut := d.cut
	d.reconnect = time.AfterFunc(d.cfg.Latency.Reconnect, func() {
		d.mu.Lock()
		same := d.cut == cut
		d.mu.Unlock()
		if same {
			d.Reconnect()
		}
	})
}
