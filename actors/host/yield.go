package host

import (
	"fmt"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// inUse is the refusal of a host that is up to give a machine away.
const inUse = "the compute service of the host is still in use"

// yield lets a machine be built elsewhere. A host that is down can only promise
// that it will not run here any more; the promise is an order that waits for the
// hypervisor. One that an operator has declared down, and that is connected all the
// same, powers the machine off first. A host that is up refuses, and looks what the
// machine is: that ends the order.
func yield(s State, m *messages.OrderHost, c Claim) (State, []actors.Effect, error) {
	down, forced := s.card().GetLostAt() != 0 && !s.Up, s.card().GetForcedDown()
	switch {
	case m.Order == c.Order && c.Kind == m.Kind:
		if c.Working && s.Up {
			return s, []actors.Effect{drive(m.InstanceId, c)}, nil
		}
		return s, []actors.Effect{yielded(s, m.InstanceId, c.Order)}, nil
	case m.Order == c.Order: // it was refused
		if c.Working {
			return s, nil, nil
		}
		return s, []actors.Effect{tell(m.InstanceId, report(s, m.InstanceId, c))}, nil
	case !s.Up && !down && !forced:
		return s, nil, nil // not known yet: the node is about to tell
	}
	c = working(c, m)
	if s.Up && !forced {
		c.Kind, c.ErrorKind, c.Error = messages.OrderKind_ORDER_KIND_LOOK, messages.ErrorKind_ERROR_KIND_CONFLICT, inUse
	}
	s = s.with(m.InstanceId, c)
	if s.Up {
		return s, []actors.Effect{drive(m.InstanceId, c)}, nil
	}
	return s, []actors.Effect{yielded(s, m.InstanceId, c.Order)}, nil
}

// yieldNothing: the host is down, and has no claim to give away. It commits that all
// the same: what should turn up later is a stray.
func yieldNothing(s State, now time.Time, m *messages.OrderHost) (State, []actors.Effect, error) {
	if s.card().GetLostAt() == 0 && !s.card().GetForcedDown() {
		return s, nil, nil
	}
	s.Graves = s.Graves.Bury(actors.Grave{ID: m.InstanceId, At: now, Order: m.Order})
	return s, []actors.Effect{yielded(s, m.InstanceId, m.Order)}, nil
}

// yieldDriven takes the driver's word on a machine that was given away. One that
// could not be powered off is tried again.
func yieldDriven(s State, m *messages.DriverDone, c Claim) (State, []actors.Effect, error) {
	if m.ErrorKind != 0 {
		return s, nil, nil
	}
	c.Working, c.Power, c.Absent = false, m.Power, m.Absent
	return s.with(m.InstanceId, c), []actors.Effect{yielded(s, m.InstanceId, c.Order)}, nil
}

// yieldedAgain: of a machine that was given away nobody wants to hear, but that it
// does not run.
func (c Claim) yieldedAgain() Claim {
	if c.Kind == messages.OrderKind_ORDER_KIND_YIELD {
		c.Untold = false
		c.Working = c.Power == messages.PowerState_POWER_STATE_RUNNING && !c.Absent
	}
	return c
}

func yielded(s State, id string, order uint64) actors.Effect {
	return tell(id, &messages.InstanceYielded{
		InstanceId: id, Order: order, Host: s.Name, Storage: s.card().GetInventory().GetStorage(),
	})
}

// inTheWay: what is here of the instance has to go before it is built here anew.
func (c Claim) inTheWay(order uint64) bool {
	if c.Stray || order <= c.Refused {
		return true
	}
	return order > c.Order &&
		(c.Kind == messages.OrderKind_ORDER_KIND_YIELD || c.Kind == messages.OrderKind_ORDER_KIND_RELEASE)
}

// refuseOver refuses a build where something of the instance is left. A no is
// committed like a yes.
func refuseOver(s State, m *messages.OrderHost, c Claim) (State, []actors.Effect, error) {
	c.Refused = max(c.Refused, m.Order)
	return s.with(m.InstanceId, c), []actors.Effect{refused(s, m, "what the host had of the instance is not cleared away yet")}, nil
}

// forget makes the cloud forget a host that is gone. What it promised to release
// is nothing to it any more; should it come back, that is asked about as strays are.
func forget(s State) (State, []actors.Effect, error) {
	switch {
	case s.card() == nil:
		return s, nil, fmt.Errorf("there is no host %s: %w", s.Name, messages.NotFound)
	case s.Up:
		return s, nil, fmt.Errorf("host %s is up: %w", s.Name, messages.Conflict)
	}
	for id, c := range s.Claims.All() {
		if !c.Stray && !ends(c.Kind) {
			return s, nil, fmt.Errorf("host %s holds instance %s: %w", s.Name, id, messages.Conflict)
		}
	}
	for id := range s.Claims.All() {
		s = s.without(id)
	}
	s.Card = s.Card.Delete(cardRow)
	return s, nil, nil
}
