package drivertest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

// method is one changing method, with a domain in the state in which it has
// something to do.
type method struct {
	name string
	runs bool // the domain, before
	do   func(d drivers.Driver, s *messages.DomainSpec, f drivers.Fence) error
}

func (h *harness) methods() []method {
	return []method{
		{"start", false, func(d drivers.Driver, s *messages.DomainSpec, f drivers.Fence) error {
			return d.Start(h.ctx, s.GetInstanceId(), f)
		}},
		{"stop", true, func(d drivers.Driver, s *messages.DomainSpec, f drivers.Fence) error {
			return d.Stop(h.ctx, s.GetInstanceId(), f, 0)
		}},
		{"reboot", false, func(d drivers.Driver, s *messages.DomainSpec, f drivers.Fence) error {
			return d.Reboot(h.ctx, s.GetInstanceId(), f, 0)
		}},
		{"release", true, func(d drivers.Driver, s *messages.DomainSpec, f drivers.Fence) error {
			return d.Release(h.ctx, s.GetInstanceId(), f)
		}},
		{"delete", true, func(d drivers.Driver, s *messages.DomainSpec, f drivers.Fence) error {
			return d.Delete(h.ctx, s.GetInstanceId(), f)
		}},
		{"build", false, func(d drivers.Driver, s *messages.DomainSpec, f drivers.Fence) error {
			return d.Build(h.ctx, with(s, f))
		}},
	}
}

// with is the spec under another fence.
func with(s *messages.DomainSpec, f drivers.Fence) *messages.DomainSpec {
	c := cloned(s)
	c.Epoch, c.Order = f.Epoch, f.Order
	return c
}

// testEpochs: whoever is of an older epoch is refused everything, whatever its order
// and whether or not the domain is there; also after the connection was made anew.
func testEpochs(h *harness) {
	s := h.spec(5)
	id := s.GetInstanceId()
	h.ok("build", h.Driver.Build(h.ctx, s))
	old := h.epoch
	h.ok("lead with the same epoch", h.Driver.Lead(h.ctx, old))
	h.epoch++
	h.ok("lead with a newer one", h.Driver.Lead(h.ctx, h.epoch))
	h.is("lead with the older one again", h.Driver.Lead(h.ctx, old), drivers.ErrSuperseded)
	absent := h.Spec()
	refusedAll := func(when string) {
		h.Helper()
		for _, m := range h.methods() {
			err := m.do(h.Driver, s, drivers.Fence{Epoch: old, Order: 99})
			h.is(m.name+" of an older epoch, "+when, err, drivers.ErrSuperseded)
			h.is(m.name+" of an older epoch is a conflict", err, messages.Conflict)
			h.is(m.name+" of an older epoch for what is not there", m.do(h.Driver, absent, drivers.Fence{Epoch: old, Order: 99}), drivers.ErrSuperseded)
		}
		h.nothingLeft(absent.GetInstanceId())
	}
	refusedAll("announced")
	h.power("after the older epoch", id, true, 5)
	h.ok("stop in the newer epoch", h.Driver.Stop(h.ctx, id, h.at(6), 0))
	old, h.epoch = h.epoch, h.epoch+1
	h.ok("start in one that was not announced", h.Driver.Start(h.ctx, id, h.at(7)))
	refusedAll("not announced")
	h.power("after all that", id, true, 7)
	h.is("an older order in the newest epoch", h.Driver.Stop(h.ctx, id, h.at(6), 0), messages.Conflict)
	h.ok("delete", h.Driver.Delete(h.ctx, id, h.at(8)))
	h.is("build of an older epoch, over what was deleted since", h.Driver.Build(h.ctx, with(s, drivers.Fence{Epoch: old, Order: 99})), drivers.ErrSuperseded)
	h.nothingLeft(id)
}

// blocked is how long a newer epoch tries to get in while an older one is stopped
// in the middle of an act. Either is right: that it waits, or that what the older
// one does afterwards is refused.
const blocked = 300 * time.Millisecond

// testPaused stops another driver of an older epoch at each method, between its
// check and its act, lets a newer epoch lead, and lets the older go on. What it
// does then must be refused, or have been waited for.
func testPaused(h *harness) {
	if h.Second == nil {
		h.Skip("the fixture has no second driver")
	}
	for _, m := range h.methods() {
		s := h.spec(1)
		id := s.GetInstanceId()
		if m.name != "build" {
			h.ok("build", h.Driver.Build(h.ctx, s))
		}
		if !m.runs && m.name != "build" {
			h.ok("stop", h.Driver.Stop(h.ctx, id, h.at(1), 0))
		}
		reached, goOn := make(chan struct{}), make(chan struct{})
		paused := h.Second(h.T, func() {
			reached <- struct{}{}
			<-goOn
		})
		ended := make(chan error, 1)
		old := drivers.Fence{Epoch: h.epoch, Order: 2}
		go func() { ended <- m.do(paused, s, old) }()
		select {
		case <-reached:
		case err := <-ended:
			h.Fatalf("%s ended before it was stopped: %v", m.name, err)
		}
		h.epoch++
		ctx, cancel := context.WithTimeout(h.ctx, blocked)
		led := h.Driver.Lead(ctx, h.epoch)
		cancel()
		before := h.state(id)
		close(goOn)
		err := <-ended
		if led == nil { // it leads: from here on nothing of the older one may happen
			h.is(m.name+" that goes on under a newer epoch", err, drivers.ErrSuperseded)
			if after := h.state(id); after != before {
				h.Errorf("%s that went on did something: before %s, after %s", m.name, before, after)
			}
			continue
		}
		h.is(m.name+": a lead that waits for it", led, messages.Unavailable)
		h.ok(m.name+" that nobody has overtaken", err)
		h.ok("lead once it has ended", h.Driver.Lead(h.ctx, h.epoch))
		h.is(m.name+" again", m.do(paused, s, old), drivers.ErrSuperseded)
	}
}

// state is what can be seen of an instance.
func (h *harness) state(id string) string {
	h.Helper()
	d, err := h.Driver.Domain(h.ctx, id)
	if errors.Is(err, messages.NotFound) {
		return "absent"
	}
	h.ok("domain", err)
	return fmt.Sprintf("%+v", d)
}
