package drivertest

import (
	"context"
	"errors"
	"testing"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

const running = messages.PowerState_POWER_STATE_RUNNING

// harness is one test of the suite under way.
type harness struct {
	*testing.T
	Fixture
	ctx   context.Context
	epoch uint64 // the newest that the test has used
}

// at is the fence of an order in the present epoch.
func (h *harness) at(order uint64) drivers.Fence { return drivers.Fence{Epoch: h.epoch, Order: order} }

// spec is a new spec with an order, whose instance is removed after the test.
func (h *harness) spec(order uint64) *messages.DomainSpec {
	s := h.Spec()
	s.Epoch, s.Order = h.epoch, order
	h.Cleanup(func() { h.remove(s.GetInstanceId()) })
	return s
}

// build makes a new running domain.
func (h *harness) build(order uint64) string {
	h.Helper()
	s := h.spec(order)
	h.ok("build", h.Driver.Build(h.ctx, s))
	return s.GetInstanceId()
}

func (h *harness) remove(id string) {
	h.Helper()
	newest := drivers.Fence{Epoch: h.epoch, Order: 1 << 40}
	if err := h.Driver.Delete(context.Background(), id, newest); err != nil {
		h.Errorf("delete %s after the test: %v", id, err)
		return
	}
	h.nothingLeft(id)
}

func (h *harness) nothingLeft(id string) {
	h.Helper()
	if h.Leavings == nil {
		return
	}
	if left := h.Leavings(h.T, id); len(left) > 0 {
		h.Errorf("of %s is left: %q", id, left)
	}
}

func (h *harness) ok(what string, err error) {
	h.Helper()
	if err != nil {
		h.Fatalf("%s: %v", what, err)
	}
}

func (h *harness) is(what string, err, kind error) {
	h.Helper()
	if !errors.Is(err, kind) {
		h.Errorf("%s: got %v, want %v", what, err, kind)
	}
}

// power checks whether the domain runs, and the order it has seen.
func (h *harness) power(what, id string, runs bool, order uint64) {
	h.Helper()
	d, err := h.Driver.Domain(h.ctx, id)
	h.ok(what, err)
	if (d.Power == running) != runs || d.Order != order || d.ID != id {
		h.Errorf("%s: got %+v, want running=%v with order %d", what, d, runs, order)
	}
}

// listed says how often Domains lists id.
func (h *harness) listed(id string) (n int) {
	h.Helper()
	all, err := h.Driver.Domains(h.ctx)
	h.ok("domains", err)
	for _, d := range all {
		if d.ID == id {
			n++
		}
	}
	return n
}

// watch begins to watch, and takes the Connected that must come first.
func (h *harness) watch() <-chan drivers.Event {
	h.Helper()
	events := h.Driver.Watch(h.ctx)
	if e := h.next(events); e.Kind != drivers.Connected {
		h.Fatalf("the first event is %+v, not Connected", e)
	}
	return events
}

func (h *harness) next(events <-chan drivers.Event) drivers.Event {
	h.Helper()
	select {
	case e, ok := <-events:
		if !ok {
			h.Fatal("the channel of events is closed too early")
		}
		return e
	case <-h.ctx.Done():
		h.Fatal("no event came")
	}
	panic("not reached")
}

// await takes events until one is as wanted. An event says "look again", so
// more of them than needed is no fault, and neither are other domains'.
func (h *harness) await(events <-chan drivers.Event, what string, want func(drivers.Event) bool) {
	h.Helper()
	for {
		select {
		case e, ok := <-events:
			if !ok {
				h.Fatalf("the channel of events closed before: %s", what)
			}
			if want(e) {
				return
			}
		case <-h.ctx.Done():
			h.Fatalf("no event came: %s", what)
		}
	}
}

func changed(id string, runs bool) func(drivers.Event) bool {
	return func(e drivers.Event) bool {
		return e.Kind == drivers.Changed && e.Domain.ID == id && (e.Domain.Power == running) == runs
	}
}

func kind(k drivers.EventKind, id string) func(drivers.Event) bool {
	return func(e drivers.Event) bool { return e.Kind == k && e.Domain.ID == id }
}
