package drivertest

import (
	"time"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

// testForeign: a domain that is not ours is not listed, changed or removed, even
// if it has the very id of an instance.
func testForeign(h *harness) {
	if h.Foreign == nil {
		h.Skip("the fixture cannot make a foreign domain")
	}
	s := h.Spec()
	id := s.GetInstanceId()
	there := h.Foreign(h.T, id)
	if h.listed(id) != 0 {
		h.Error("it is listed as ours")
	}
	_, err := h.Driver.Domain(h.ctx, id)
	h.is("domain", err, messages.NotFound)
	s.Epoch, s.Order = h.epoch, 1
	h.is("build over it", h.Driver.Build(h.ctx, s), messages.Conflict)
	h.is("start", h.Driver.Start(h.ctx, id, h.at(1)), messages.NotFound)
	h.is("stop", h.Driver.Stop(h.ctx, id, h.at(1), 0), messages.NotFound)
	h.is("reboot", h.Driver.Reboot(h.ctx, id, h.at(1), 0), messages.NotFound)
	h.is("delete", h.Driver.Delete(h.ctx, id, h.at(1)), nil)
	if !there() {
		h.Error("it was touched")
	}
}

func testCrash(h *harness) {
	if h.Crash == nil {
		h.Skip("the fixture cannot crash a guest")
	}
	events := h.watch()
	id := h.build(1)
	h.await(events, "runs", changed(id, true))
	h.Crash(h.T, id)
	h.await(events, "crashed", changed(id, false))
	h.power("after the crash", id, false, 1)
	h.ok("start", h.Driver.Start(h.ctx, id, h.at(2)))
	h.power("started again", id, true, 2)
}

func testCut(h *harness) {
	if h.Cut == nil {
		h.Skip("the fixture cannot cut the connection")
	}
	events := h.watch()
	id := h.build(1)
	h.Cut(h.T)
	h.await(events, "lost", kind(drivers.Lost, ""))
	h.await(events, "connected again", kind(drivers.Connected, ""))
	h.power("after the reconnection", id, true, 1)
	h.ok("stop", h.Driver.Stop(h.ctx, id, h.at(2), 0))
	h.await(events, "events flow again", changed(id, false))
}

func testGraceful(h *harness) {
	if h.Booted == nil {
		h.Skip("the fixture's guests do not boot")
	}
	events := h.watch()
	id := h.build(1)
	h.Booted(h.T, id)
	testConsole(h, id)
	h.ok("reboot", h.Driver.Reboot(h.ctx, id, h.at(2), patience/2))
	h.power("after the reboot", id, true, 2)
	h.Booted(h.T, id)
	h.ok("stop", h.Driver.Stop(h.ctx, id, h.at(3), patience/2))
	h.power("after the stop", id, false, 3)
	h.await(events, "stopped", changed(id, false))
	h.ok("start", h.Driver.Start(h.ctx, id, h.at(4)))
	h.ok("stop of a guest that does not hear", h.Driver.Stop(h.ctx, id, h.at(5), time.Millisecond))
	h.power("after the grace", id, false, 5)
}
