package instance

import (
	"fmt"
	"slices"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Evacuation is under way: the instance is built on another host because its own
// is down. First the host commits that it will not run the machine any more, which
// only one that is down does; then another is chosen and ordered to build. What the
// old host has is kept until the new one runs: if no other can, it stays where it was.
type Evacuation struct {
	From    string   // where it was
	Asking  string   // the host that is asked to yield; empty: it has
	Yielded []string // From, and targets that went down too
	Target  string   // the host that builds it
	Zone    string   // the target's
	Storage string   // with its disk, if hosts share it
	Asked   string   // the only host to try; empty: any
	Stopped bool     // how it is left
	First   int32    // s.Attempt before
	Move    string   // its record
}

// Leftover is an order for a host that the instance has left, told until the host
// has taken it: it may be down for long. A release that was taken is kept in mind
// until it is done: a host that still has a shared disk must not free it once the
// instance is deleted, for nobody would delete it then.
type Leftover struct {
	Host  string
	Order uint64
	Kind  messages.OrderKind
	Taken bool `json:",omitempty"`
}

func evacuate(s State, in actors.Input, m *messages.EvacuateInstance) (State, []actors.Effect, error) {
	if !s.visible(m.Scope) {
		return s, nil, missing(in.ID)
	}
	const action = messages.Action_ACTION_EVACUATE
	if err := actions[action].allows(s.View); err != nil {
		return s, nil, err
	}
	switch {
	case s.View.Host == "":
		return s, nil, fmt.Errorf("cannot 'evacuate' instance %s which is on no host: %w", in.ID, messages.Conflict)
	case m.Host != "" && m.Host == s.View.Host:
		return s, nil, fmt.Errorf("the target host can't be the same one: %w", messages.Invalid)
	case s.Evac != nil && s.Evac.Target == "":
		return s, nil, fmt.Errorf("instance %s is being evacuated: %w", in.ID, messages.Conflict)
	}
	host := s.orderedHost()
	next := Evacuation{From: s.View.Host, First: s.Attempt, Stopped: m.Stopped || s.View.VmState == stopped}
	if s.Evac != nil { // its target is down too
		next = *s.Evac
		next.Yielded, next.First = slices.Clone(next.Yielded), s.Attempt
		s = s.move(in.Now, failedMove, "")
	}
	next.Asking, next.Target, next.Asked = host, "", m.Host
	s = s.begin(in.Now, action, m)
	next.Move = actionKey(s.Actions)
	s.Evac, s.Clearing, s.Failed, s.Tried = &next, false, nil, nil
	if m.AdminPassword != "" {
		s.AdminPassword = m.AdminPassword
	}
	s = s.recordMove(in.Now, m).eventOn(in.Now, "yield", host).order(orderYield)
	s = s.edit(in.Now, func(v *messages.InstanceView) { v.TaskState, v.Fault = rebuilding, nil })
	s = s.drains(in.Now, ConfirmTime)
	return s, append(outstanding(s), actors.Reply{Message: s.View}), nil
}

// orderedHost is the host that the latest order is for.
func (s State) orderedHost() string {
	switch {
	case s.Evac == nil:
		return s.View.Host
	case s.Evac.Asking != "":
		return s.Evac.Asking
	case s.Evac.Target != "":
		return s.Evac.Target
	}
	return s.View.Host
}

// concerns: an evacuation under way has to do with the host.
func (s State) concerns(host string) bool {
	return s.Evac != nil && (s.orderedHost() == host || slices.Contains(s.Evac.Yielded, host))
}

// with is s with a changed copy of the evacuation.
func (s State) with(change func(*Evacuation)) State {
	e := *s.Evac
	e.Yielded = slices.Clone(e.Yielded)
	change(&e)
	s.Evac = &e
	return s
}

// yielded: the host runs the machine no more, so another may be found.
func yielded(s State, now time.Time, m *messages.InstanceYielded) (State, []actors.Effect, error) {
	if s.Evac == nil || s.Evac.Asking != m.Host || m.Order != s.Order {
		return s, nil, nil
	}
	s = s.with(func(e *Evacuation) {
		e.Asking, e.Yielded = "", append(e.Yielded, m.Host)
		if m.Host == e.From {
			e.Storage = m.Storage
		}
	})
	s.Tried, s.Attempt = slices.Clone(s.Evac.Yielded), s.Attempt+1
	s = s.event(now, "yield.done").event(now, "schedule")
	return s, outstanding(s), nil
}

// notYielded: the host is up, and has looked what the machine is.
func notYielded(s State, now time.Time, m *messages.DomainReported) (State, []actors.Effect, error) {
	if s.Evac.Asking != s.Evac.From {
		// A target that was thought down: what it was to build is cleared away, and
		// another one is tried.
		s = s.with(func(e *Evacuation) { e.Asking, e.Target = "", m.Host })
		s.Failed, s.Clearing = faultOf(m), true
		s = s.eventFailed(now, m.Error).order(orderRelease).eventOn(now, "clear", m.Host)
		return s, outstanding(s), nil
	}
	s = s.move(now, cancelledMove, "")
	s.Evac = nil
	return acted(s, now, m), nil, nil
}

// rebuild orders the machine from the host that was chosen.
func rebuild(s State, now time.Time, m *messages.HostChosen) (State, []actors.Effect, error) {
	s = s.with(func(e *Evacuation) { e.Target, e.Zone = m.Host, m.AvailabilityZone })
	s = s.move(now, runningMove, m.Host).order(orderBuild).eventOn(now, "spawn", m.Host)
	return s, outstanding(s), nil
}

// asWanted: a build has left the machine as it was to be left.
func (s State) asWanted(p messages.PowerState) bool {
	if s.Evac != nil && s.Evac.Stopped {
		return p == messages.PowerState_POWER_STATE_SHUTDOWN
	}
	return p == messages.PowerState_POWER_STATE_RUNNING
}

// evacuated: the machine is on its new host; what the others have of it may go.
func evacuated(s State, now time.Time, m *messages.DomainReported) (State, []actors.Effect, error) {
	e := s.Evac
	s = s.move(now, doneMove, m.HypervisorHostname)
	for _, host := range e.Yielded {
		s = s.leave(Leftover{Host: host, Order: s.Order, Kind: orderRelease})
	}
	s.Evac, s.Failed, s.Tried = nil, nil, nil
	s = s.edit(now, func(v *messages.InstanceView) {
		v.Host, v.AvailabilityZone, v.LaunchedAt = e.Target, e.Zone, now.UnixNano()
	})
	s = acted(s, now, m)
	return s, outstanding(s), nil
}

// evacuateElsewhere tries the next host after a target has let go, or gives up.
func evacuateElsewhere(s State, now time.Time, again bool) (State, []actors.Effect, error) {
	target := s.Evac.Target
	s.Clearing = false
	s = s.with(func(e *Evacuation) { e.Target = "" })
	if !again || s.Attempt-s.Evac.First >= MaxAttempts || s.Evac.Asked != "" {
		return evacuationFailed(s, now, s.Failed)
	}
	s.Tried, s.Attempt = append(slices.Clone(s.Tried), target), s.Attempt+1
	s = s.event(now, "schedule")
	return s, outstanding(s), nil
}

// evacuationFailed rests the instance in ERROR on the host where it was. That one
// is told, when it is back, that the machine is its own again, and says what it is.
func evacuationFailed(s State, now time.Time, f *messages.Fault) (State, []actors.Effect, error) {
	f = &messages.Fault{Code: f.GetCode(), Message: f.GetMessage(), Details: f.GetDetails(), At: now.UnixNano()}
	e := s.Evac
	s = s.move(now, failedMove, "").endWith(now, f.Message, f.Details).order(orderLook)
	for _, host := range e.Yielded {
		kind := orderRelease
		if host == e.From {
			kind = orderLook
		}
		s = s.leave(Leftover{Host: host, Order: s.Order, Kind: kind})
	}
	s.Evac, s.Failed, s.Tried = nil, nil, nil
	s = s.edit(now, func(v *messages.InstanceView) {
		v.VmState, v.TaskState, v.PowerState, v.Fault = failed, idle, 0, f
	})
	return s, outstanding(s), nil
}

// breakOff ends an evacuation because the instance is to be deleted. What has
// yielded is not waited for: it deletes what it has when it is back.
func (s State) breakOff(now time.Time) State {
	if s.Evac == nil {
		return s
	}
	e := s.Evac
	s = s.move(now, cancelledMove, "")
	s.Evac, s.Tried = nil, nil
	for _, host := range e.Yielded {
		s = s.leave(Leftover{Host: host, Order: s.Order + 1, Kind: orderDelete})
	}
	s = s.edit(now, func(v *messages.InstanceView) {
		if v.Host = e.Target; e.Asking != "" {
			v.Host = e.Asking
		}
	})
	return s
}
