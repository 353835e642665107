package host

import (
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// connected reconciles: the hypervisor says what is there, the claims say what
// should be. Orders under way are given to the driver again.
func connected(s State, now time.Time, m *messages.HostConnected) (State, []actors.Effect, error) {
	was := s.down()
	s.Up, s.LostReason = true, ""
	s = s.describe(now, func(c *messages.HostView) {
		c.Inventory, c.AvailabilityZone, c.LostAt = m.Inventory, m.AvailabilityZone, 0
	})
	seen := make(map[string]*messages.DomainSeen, len(m.Domains))
	for _, d := range m.Domains {
		seen[d.InstanceId] = d
		if _, claimed := s.Claims.Get(d.InstanceId); !claimed {
			// Never kill what we do not know: ask the instance what it is.
			s = s.with(d.InstanceId, Claim{Stray: true, Untold: true, Order: d.Order, Power: d.Power})
		}
	}
	for id, c := range s.Claims.All() {
		if d := seen[id]; !c.Working && !c.Stray && differs(c, d) {
			s = s.with(id, changed(c, d))
		}
	}
	s, _ = s.tellFollowers(was)
	return s, outstanding(s), nil
}

// lost notes since when the host is down: whoever lists it should see so, also
// where its node is gone, and it is what an instance is let go by.
func lost(s State, now time.Time, m *messages.HostLost) (State, []actors.Effect) {
	was := s.down()
	s.Up, s.LostReason = false, m.Reason
	if c := s.card(); c != nil && c.LostAt == 0 {
		s = s.describe(now, func(c *messages.HostView) { c.LostAt = now.UnixNano() })
	}
	return s.tellFollowers(was)
}

func differs(c Claim, d *messages.DomainSeen) bool {
	if d == nil {
		return !c.Absent
	}
	return c.Absent || c.Power != d.Power
}

func changed(c Claim, d *messages.DomainSeen) Claim {
	c.Absent, c.Power, c.Seq, c.Untold = d == nil, d.GetPower(), c.Seq+1, true
	return c.yieldedAgain()
}

// observed takes an event of the hypervisor for what it is: a hint to look. The
// driver looks after whatever it is doing for that instance now, so a look never
// mistakes a step of an order for its outcome.
func observed(s State, m *messages.DomainObserved) (State, []actors.Effect, error) {
	id := m.Domain.GetInstanceId()
	c, ok := s.Claims.Get(id)
	if !ok || c.Working || c.Stray || (m.Absent == c.Absent && m.Domain.GetPower() == c.Power) {
		return s, nil, nil // known: most events are echoes of our own orders
	}
	c.Looking = true
	return s.with(id, c), []actors.Effect{look(id, c)}, nil
}

func factTaken(s State, m *messages.ReportTaken) (State, []actors.Effect, error) {
	c, ok := s.Claims.Get(m.InstanceId)
	if !ok || !c.Untold || c.Seq != m.Seq {
		return s, nil, nil
	}
	c.Untold = false
	return s.with(m.InstanceId, c), nil, nil
}

// disown removes a stray that its instance does not want. What lives on elsewhere
// may have its disk on storage that is shared.
func disown(s State, _ time.Time, m *messages.DisownDomain) (State, []actors.Effect, error) {
	c, ok := s.Claims.Get(m.InstanceId)
	if !ok || !c.Stray {
		return s, nil, nil
	}
	kind := messages.OrderKind_ORDER_KIND_DELETE
	if m.Lives {
		kind = messages.OrderKind_ORDER_KIND_RELEASE
	}
	c = working(c, &messages.OrderHost{Order: max(m.Order, c.Order), Kind: kind})
	c.Stray = false
	return s.with(m.InstanceId, c), []actors.Effect{drive(m.InstanceId, c)}, nil
}

// adopt makes a stray a claim: the machine runs, so room is not asked for.
func adopt(s State, m *messages.AdoptDomain) (State, []actors.Effect, error) {
	c, ok := s.Claims.Get(m.InstanceId)
	if !ok || !c.Stray {
		return s, nil, nil
	}
	c.Stray, c.Untold, c.Order = false, true, max(m.Order, c.Order)
	c.VCPUs, c.RAMMiB, c.DiskGiB = m.Vcpus, m.RamMib, m.DiskGib
	s = s.with(m.InstanceId, c)
	return s, []actors.Effect{fact(s, m.InstanceId, c)}, nil
}

// unknown keeps a stray that nobody knows: whoever lost the store may want the
// machine back. It holds no capacity, and the log of the driver names it.
func unknown(s State, m *messages.DomainUnknown) (State, []actors.Effect, error) {
	c, ok := s.Claims.Get(m.InstanceId)
	if !ok || !c.Stray {
		return s, nil, nil
	}
	c.Untold = false
	return s.with(m.InstanceId, c), nil, nil
}
