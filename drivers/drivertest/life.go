package drivertest

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

func testInventory(h *harness) {
	inv, err := h.Driver.Inventory(h.ctx)
	h.ok("inventory", err)
	if inv.GetHypervisorHostname() == "" || inv.GetHypervisorType() == "" || inv.GetArch() == "" || inv.GetHypervisorVersion() <= 0 ||
		inv.GetVcpus() <= 0 || inv.GetRamMib() <= 0 || inv.GetDiskGib() <= 0 {
		h.Errorf("incomplete: %v", inv)
	}
}

func testAbsent(h *harness) {
	id := h.Spec().GetInstanceId()
	_, err := h.Driver.Domain(h.ctx, id)
	h.is("domain", err, messages.NotFound)
	_, err = h.Driver.Console(h.ctx, id, 0)
	h.is("console", err, messages.NotFound)
	h.is("start", h.Driver.Start(h.ctx, id, h.at(1)), messages.NotFound)
	h.is("stop", h.Driver.Stop(h.ctx, id, h.at(1), 0), messages.NotFound)
	h.is("stop with grace", h.Driver.Stop(h.ctx, id, h.at(1), time.Second), messages.NotFound)
	h.is("reboot", h.Driver.Reboot(h.ctx, id, h.at(1), 0), messages.NotFound)
	h.is("delete", h.Driver.Delete(h.ctx, id, h.at(1)), nil)
	h.nothingLeft(id)
}

// testLife does everything twice: the second time it is true already.
func testLife(h *harness) {
	events := h.watch()
	s := h.spec(1)
	id := s.GetInstanceId()
	twice := func(what string, runs bool, order uint64, do func() error) {
		h.Helper()
		for n := range 2 {
			h.ok(fmt.Sprintf("%s, time %d", what, n+1), do())
			h.power(what, id, runs, order)
		}
	}
	twice("build", true, 1, func() error { return h.Driver.Build(h.ctx, s) })
	h.await(events, "runs after the build", changed(id, true))
	if n := h.listed(id); n != 1 {
		h.Errorf("listed %d times", n)
	}
	twice("stop", false, 2, func() error { return h.Driver.Stop(h.ctx, id, h.at(2), 0) })
	h.await(events, "stopped", changed(id, false))
	twice("start", true, 3, func() error { return h.Driver.Start(h.ctx, id, h.at(3)) })
	h.await(events, "runs again", changed(id, true))
	twice("reboot", true, 4, func() error { return h.Driver.Reboot(h.ctx, id, h.at(4), 0) })
	h.ok("stop before a reboot", h.Driver.Stop(h.ctx, id, h.at(5), time.Millisecond))
	twice("reboot of a stopped domain", true, 6, func() error { return h.Driver.Reboot(h.ctx, id, h.at(6), 0) })
	for range 2 {
		h.ok("delete", h.Driver.Delete(h.ctx, id, h.at(7)))
		_, err := h.Driver.Domain(h.ctx, id)
		h.is("domain after delete", err, messages.NotFound)
	}
	h.await(events, "gone", kind(drivers.Gone, id))
	if h.listed(id) != 0 {
		h.Error("still listed after delete")
	}
	h.nothingLeft(id)
}

func testOrders(h *harness) {
	s := h.spec(5)
	id := s.GetInstanceId()
	h.ok("build", h.Driver.Build(h.ctx, s))
	old := h.Spec()
	old.InstanceId, old.Epoch, old.Order = id, h.epoch, 4
	h.is("older build", h.Driver.Build(h.ctx, old), messages.Conflict)
	h.is("older stop", h.Driver.Stop(h.ctx, id, h.at(4), 0), messages.Conflict)
	h.is("older reboot", h.Driver.Reboot(h.ctx, id, h.at(4), 0), messages.Conflict)
	h.is("older delete", h.Driver.Delete(h.ctx, id, h.at(4)), messages.Conflict)
	h.power("after older orders", id, true, 5)
	h.ok("stop with an equal order", h.Driver.Stop(h.ctx, id, h.at(5), 0))
	h.is("older start", h.Driver.Start(h.ctx, id, h.at(4)), messages.Conflict)
	h.power("after an older start", id, false, 5)
	s.Order = 8
	h.ok("newer build of a stopped domain", h.Driver.Build(h.ctx, s))
	h.power("after the newer build", id, true, 8)
	h.ok("start of a running domain", h.Driver.Start(h.ctx, id, h.at(9)))
	h.power("after a start that had nothing to do", id, true, 9)
	h.is("an order between", h.Driver.Stop(h.ctx, id, h.at(8), 0), messages.Conflict)
}

func testContext(h *harness) {
	ended, cancel := context.WithCancel(h.ctx)
	cancel()
	s := h.spec(1)
	h.is("build", h.Driver.Build(ended, s), messages.Unavailable)
	h.nothingLeft(s.GetInstanceId())
	_, err := h.Driver.Domains(ended)
	h.is("domains", err, messages.Unavailable)
	events := h.Driver.Watch(ended)
	for range events { // what is buffered may come; then the channel must close
	}
}

func testBroken(h *harness) {
	if len(h.Broken) == 0 {
		h.Skip("the fixture has no broken specs")
	}
	for name, b := range h.Broken {
		id := b.Spec.GetInstanceId()
		b.Spec.Epoch = h.epoch
		h.is(name, h.Driver.Build(h.ctx, b.Spec), b.Kind)
		if _, err := h.Driver.Domain(h.ctx, id); drivers.ValidID(id) {
			h.is(name+": domain", err, messages.NotFound)
			h.nothingLeft(id)
		}
	}
}

func testHalf(h *harness) {
	if h.Half == nil {
		h.Skip("the fixture cannot leave a build half-made")
	}
	s := h.spec(1)
	id := s.GetInstanceId()
	h.Half(h.T, s)
	h.ok("build over it", h.Driver.Build(h.ctx, s))
	h.power("built over it", id, true, 1)
	s = h.spec(1)
	h.Half(h.T, s)
	h.ok("delete it", h.Driver.Delete(h.ctx, s.GetInstanceId(), h.at(1)))
	h.nothingLeft(s.GetInstanceId())
}

func testConsole(h *harness, id string) {
	all, err := h.Driver.Console(h.ctx, id, 0)
	h.ok("console", err)
	if !bytes.Contains(all, []byte(Hostname)) {
		h.Errorf("the console does not show the hostname %s: %q", Hostname, all)
	}
	end, err := h.Driver.Console(h.ctx, id, 10)
	h.ok("end of the console", err)
	if len(end) != 10 {
		h.Errorf("the last 10 bytes of the console are %d: %q", len(end), end)
	}
}
