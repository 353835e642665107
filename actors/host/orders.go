package host

import (
	"fmt"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/placement"
	"github.com/troupe-cloud/troupe/messages"
)

// order takes an instance's order: an older one than was seen is ignored, the
// same one again is answered with what is known, a newer one goes to the driver.
func order(s State, now time.Time, m *messages.OrderHost) (State, []actors.Effect, error) {
	if m.InstanceId == "" || m.Order == 0 {
		return s, nil, fmt.Errorf("an order needs an instance and a number: %w", messages.Invalid)
	}
	if c, ok := s.Claims.Get(m.InstanceId); ok && (!c.Stray || m.Kind == messages.OrderKind_ORDER_KIND_BUILD) {
		return reorder(s, m, c)
	}
	if g, ok := s.Graves.Get(m.InstanceId); ok && m.Order <= g.Order {
		return s, late(s, m, g), nil
	}
	switch m.Kind {
	case messages.OrderKind_ORDER_KIND_BUILD:
		return build(s, now, m)
	case messages.OrderKind_ORDER_KIND_DELETE, messages.OrderKind_ORDER_KIND_RELEASE:
		// No claim, so nothing should be there; the driver makes sure.
		s = s.with(m.InstanceId, working(Claim{}, m))
		c, _ := s.Claims.Get(m.InstanceId)
		return s, taken(s, m, drive(m.InstanceId, c)), nil
	case messages.OrderKind_ORDER_KIND_YIELD:
		if !s.Up {
			return yieldNothing(s, now, m)
		}
	}
	// A no is committed like a yes: a stale activation must not say it.
	s.Graves = s.Graves.Bury(actors.Grave{ID: m.InstanceId, At: now, Order: m.Order})
	r := gone(s, m.InstanceId, m.Order)
	r.ErrorKind, r.Error = messages.ErrorKind_ERROR_KIND_NOT_FOUND, "the host has no such instance"
	return s, []actors.Effect{tell(m.InstanceId, r)}, nil
}

func reorder(s State, m *messages.OrderHost, c Claim) (State, []actors.Effect, error) {
	switch {
	case m.Order < c.Order:
		return s, nil, nil
	case m.Kind == messages.OrderKind_ORDER_KIND_BUILD && c.inTheWay(m.Order):
		return refuseOver(s, m, c)
	case m.Kind == messages.OrderKind_ORDER_KIND_YIELD:
		return yield(s, m, c)
	case m.Order > c.Order:
		c = working(c, m)
		return s.with(m.InstanceId, c), taken(s, m, drive(m.InstanceId, c)), nil
	case c.Working:
		return s, taken(s, m), nil
	}
	return s, []actors.Effect{tell(m.InstanceId, report(s, m.InstanceId, c))}, nil
}

// late answers an order for an instance that was refused or is gone.
func late(s State, m *messages.OrderHost, g actors.Grave) []actors.Effect {
	if m.Kind == messages.OrderKind_ORDER_KIND_YIELD && m.Order == g.Order && g.Why == "" {
		return []actors.Effect{yielded(s, m.InstanceId, m.Order)}
	}
	if m.Order < g.Order && !ends(m.Kind) {
		return nil
	}
	if g.Why != "" && m.Kind == messages.OrderKind_ORDER_KIND_BUILD {
		return []actors.Effect{refused(s, m, g.Why)}
	}
	return []actors.Effect{tell(m.InstanceId, gone(s, m.InstanceId, m.Order))}
}

// lastSeq is above every fact that came before: nothing follows on absence
// under the same order.
const lastSeq = 1 << 62

func gone(s State, id string, order uint64) *messages.DomainReported {
	return &messages.DomainReported{InstanceId: id, Host: s.Name, Order: order, Seq: lastSeq, Ended: true, Absent: true}
}

func build(s State, now time.Time, m *messages.OrderHost) (State, []actors.Effect, error) {
	if m.Spec == nil {
		return s, nil, fmt.Errorf("an order to build needs a specification: %w", messages.Invalid)
	}
	shape := &messages.ScheduleShape{Vcpus: m.Spec.Vcpus, RamMib: m.Spec.RamMib, DiskGib: m.Spec.DiskGib}
	why := placement.Fits(shape, facts(s))
	switch {
	case !s.Up:
		why = "the host is not connected to its hypervisor"
	case s.card().GetForcedDown():
		why = "an operator has declared the host down"
	case why != "":
		why = "the host has not enough " + why
	}
	if why != "" {
		s.Graves = s.Graves.Bury(actors.Grave{ID: m.InstanceId, At: now, Order: m.Order, Why: why})
		return s, []actors.Effect{refused(s, m, why)}, nil
	}
	c := working(Claim{VCPUs: m.Spec.Vcpus, RAMMiB: m.Spec.RamMib, DiskGiB: m.Spec.DiskGib}, m)
	s.Graves = s.Graves.Raise(m.InstanceId)
	s = s.with(m.InstanceId, c)
	return s, []actors.Effect{drive(m.InstanceId, c)}, nil
}

func working(c Claim, m *messages.OrderHost) Claim {
	c.Order, c.Kind, c.GraceMS, c.Spec, c.Working = m.Order, m.Kind, m.GraceMs, m.Spec, true
	c.ErrorKind, c.Error, c.Untold, c.Looking = 0, "", false, false
	c.Follow = c.Follow || m.Follow
	return c
}

// taken says so too where that is all that the instance waits for.
func taken(s State, m *messages.OrderHost, effects ...actors.Effect) []actors.Effect {
	if !m.Leftover {
		return effects
	}
	return append(effects, tell(m.InstanceId, &messages.OrderTaken{InstanceId: m.InstanceId, Order: m.Order, Host: s.Name}))
}

func refused(s State, m *messages.OrderHost, why string) actors.Effect {
	return tell(m.InstanceId, &messages.OrderRefused{InstanceId: m.InstanceId, Order: m.Order, Host: s.Name, Reason: why})
}

// done takes the driver's word on how an order ended.
func done(s State, now time.Time, m *messages.DriverDone) (State, []actors.Effect, error) {
	c, ok := s.Claims.Get(m.InstanceId)
	switch {
	case !ok:
		return s, nil, nil
	case m.Kind == messages.OrderKind_ORDER_KIND_LOOK && !(c.Working && c.Kind == messages.OrderKind_ORDER_KIND_LOOK):
		return looked(s, m, c)
	case !c.Working && !c.Stray && m.ErrorKind != messages.ErrorKind_ERROR_KIND_UNAVAILABLE &&
		(m.Power != c.Power || m.Absent != c.Absent):
		// A late word on an order that was driven twice: what it says may be past,
		// so the driver looks again.
		c.Looking = true
		return s.with(m.InstanceId, c), []actors.Effect{look(m.InstanceId, c)}, nil
	case !c.Working || m.Order != c.Order:
		return s, nil, nil // a newer order has taken its place
	case m.ErrorKind == messages.ErrorKind_ERROR_KIND_UNAVAILABLE:
		return s, nil, nil // the outcome is unknown: the order stands, and is tried again
	case ends(c.Kind) && m.ErrorKind == 0:
		s = s.without(m.InstanceId)
		s.Graves = s.Graves.Bury(actors.Grave{ID: m.InstanceId, At: now, Order: max(c.Order, c.Refused)})
		return s, []actors.Effect{tell(m.InstanceId, gone(s, m.InstanceId, c.Order))}, nil
	case c.Kind == messages.OrderKind_ORDER_KIND_YIELD:
		return yieldDriven(s, m, c)
	}
	// A failed delete is not absence: the order stands and is tried again, but
	// the instance may say what is in the way.
	c.Working = ends(c.Kind)
	c.Spec, c.Power, c.Absent = nil, m.Power, m.Absent
	if c.Kind == messages.OrderKind_ORDER_KIND_LOOK {
		// Its only error is the one it was given for. The instance may not wait for
		// it, so it is told until it is taken.
		c.Untold = true
	} else {
		c.ErrorKind, c.Error = m.ErrorKind, m.Error
	}
	c.Seq++
	s = s.with(m.InstanceId, c)
	r := report(s, m.InstanceId, c)
	r.Ended = !c.Working
	return s, []actors.Effect{tell(m.InstanceId, r)}, nil
}

// looked takes what the driver found when it was asked to look again.
func looked(s State, m *messages.DriverDone, c Claim) (State, []actors.Effect, error) {
	if !c.Looking || m.Order != c.Order || m.ErrorKind != 0 {
		return s, nil, nil
	}
	c.Looking = false
	if c.Power == m.Power && c.Absent == m.Absent {
		return s.with(m.InstanceId, c), nil, nil
	}
	c.Power, c.Absent, c.Seq, c.Untold = m.Power, m.Absent, c.Seq+1, true
	c = c.yieldedAgain()
	s = s.with(m.InstanceId, c)
	if c.Working {
		return s, []actors.Effect{drive(m.InstanceId, c)}, nil
	}
	if !c.Untold {
		return s, nil, nil
	}
	return s, []actors.Effect{fact(s, m.InstanceId, c)}, nil
}

// ends: the order leaves nothing here.
func ends(k messages.OrderKind) bool {
	return k == messages.OrderKind_ORDER_KIND_DELETE || k == messages.OrderKind_ORDER_KIND_RELEASE
}

// with is s with a claim set and the sums brought up to date.
func (s State) with(id string, c Claim) State {
	if old, ok := s.Claims.Get(id); ok {
		s = s.count(old, -1)
	}
	s = s.count(c, 1)
	s.Claims = s.Claims.Set(id, c)
	return s
}

func (s State) without(id string) State {
	if old, ok := s.Claims.Get(id); ok {
		s = s.count(old, -1)
		s.Claims = s.Claims.Delete(id)
	}
	return s
}

func (s State) count(c Claim, n int32) State {
	s.Instances += n
	s.VCPUs += n * c.VCPUs
	s.RAMMiB += int64(n) * c.RAMMiB
	s.DiskGiB += int64(n) * c.DiskGiB
	if c.Follow {
		s.Followers += n
	}
	switch {
	case c.Working:
		s.Working += n
	case c.unsettled():
		s.Untold += n
	}
	return s
}
