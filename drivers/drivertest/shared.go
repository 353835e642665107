package drivertest

import (
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/messages"
)

func cloned(s *messages.DomainSpec) *messages.DomainSpec {
	return proto.Clone(s).(*messages.DomainSpec)
}

// testStopped: a build may leave the domain off.
func testStopped(h *harness) {
	s := h.spec(1)
	id := s.GetInstanceId()
	s.Stopped = true
	for range 2 {
		h.ok("build", h.Driver.Build(h.ctx, s))
		h.power("built and left off", id, false, 1)
	}
	h.ok("start", h.Driver.Start(h.ctx, id, h.at(2)))
	h.power("started", id, true, 2)
}

// testRelease: of a disk that nobody shares nothing stays.
func testRelease(h *harness) {
	id := h.build(1)
	h.is("an older release", h.Driver.Release(h.ctx, id, h.at(0)), messages.Conflict)
	for range 2 {
		h.ok("release", h.Driver.Release(h.ctx, id, h.at(2)))
	}
	if h.listed(id) != 0 {
		h.Error("still listed after the release")
	}
	if h.Neighbour == nil {
		h.nothingLeft(id)
	}
}

// testShared moves a disk from a host that is thought dead to its neighbour, and
// lets the first one come back.
func testShared(h *harness) {
	s := h.spec(1)
	id := s.GetInstanceId()
	take := cloned(s)
	take.TakeDisk, take.Order = true, 3
	if h.Neighbour == nil {
		h.is("take over a disk where none is shared", h.Driver.Build(h.ctx, take), messages.NotFound)
		h.nothingLeft(id)
		h.Skip("the fixture has no neighbour that shares its storage")
	}
	other := h.Neighbour(h.T)
	inv, err := h.Driver.Inventory(h.ctx)
	h.ok("inventory", err)
	theirs, err := other.Inventory(h.ctx)
	h.ok("inventory of the neighbour", err)
	if inv.GetStorage() == "" || inv.GetStorage() != theirs.GetStorage() {
		h.Errorf("storages %q and %q, want one", inv.GetStorage(), theirs.GetStorage())
	}
	h.is("take over a disk that is not there", other.Build(h.ctx, take), messages.NotFound)
	h.ok("build", h.Driver.Build(h.ctx, s))
	fresh := with(s, h.at(2))
	h.is("build anew over another host's disk", other.Build(h.ctx, fresh), messages.Conflict)
	h.is("take it over by an order that is not newer", other.Build(h.ctx, with(take, h.at(1))), messages.Conflict)
	h.ok("the first host stops it", h.Driver.Stop(h.ctx, id, h.at(2), 0)) // as its end would have
	h.ok("take it over", other.Build(h.ctx, take))
	d, err := other.Domain(h.ctx, id)
	if err != nil || d.Power != running {
		h.Errorf("taken over: %+v, %v", d, err)
	}
	h.is("the first host starts it again", h.Driver.Start(h.ctx, id, h.at(4)), messages.Conflict)
	h.is("or reboots it", h.Driver.Reboot(h.ctx, id, h.at(4), 0), messages.Conflict)
	h.power("on the first host", id, false, 4)
	h.ok("the first host deletes what is no longer its own", h.Driver.Delete(h.ctx, id, h.at(5)))
	h.ok("and the neighbour still has its disk: reboot", other.Reboot(h.ctx, id, h.at(6), 0))
	h.ok("the neighbour releases it", other.Release(h.ctx, id, h.at(7)))
	take.Order = 8
	h.ok("and the first host has it back", h.Driver.Build(h.ctx, take))
	h.power("back", id, true, 8)
	h.ok("deletion where nothing is", other.Delete(h.ctx, id, h.at(9)))
	h.ok("stop", h.Driver.Stop(h.ctx, id, h.at(9), 0))
	h.ok("start, for the disk is still there", h.Driver.Start(h.ctx, id, h.at(10)))
}
