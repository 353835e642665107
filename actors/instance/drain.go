package instance

import (
	"slices"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/machine"
	"github.com/troupe-cloud/troupe/messages"
)

// ConfirmTime bounds how long a drain waits for services to confirm that they send
// nobody there any more, beyond the drain itself.
const ConfirmTime = 5 * time.Second

// drainEvent is the step of an action in its history.
const drainEvent = "drain"

// Drain is the time that those who use the machine are given to leave before an order
// ends or interrupts it. The order has its number already; it is given when the drain
// has ended.
type Drain struct{ Until time.Time }

// drains is s, to which an action has just begun, draining first if any service lists
// it. One that drains already goes on with that.
func (s State) drains(now time.Time, confirm time.Duration) State {
	if !slices.ContainsFunc(s.Said, Said.listed) || s.HostDown {
		return s
	}
	until := now.Add(s.drainTime() + confirm)
	switch {
	case s.drainTime() == 0:
		s.Drain = nil
		return s
	case s.Drain != nil && s.Drain.Until.Before(until):
		until = s.Drain.Until
	}
	s.Drain = &Drain{Until: until}
	return s.event(now, drainEvent)
}

func (s State) drainTime() time.Duration {
	w, err := machine.Parse(s.View.Metadata, s.View.Tags)
	if err != nil {
		return 0
	}
	return w.Drain
}

// drainHeard counts the drain from when all services have confirmed that they send
// nobody any more.
func (s State) drainHeard(now time.Time) (State, []actors.Effect, error) {
	if s.Drain == nil || s.unheard() {
		return s, nil, nil
	}
	if !slices.ContainsFunc(s.Said, Said.listed) {
		return s.drained(now)
	}
	if until := now.Add(s.drainTime()); until.Before(s.Drain.Until) {
		s.Drain = &Drain{Until: until}
	}
	return s, nil, nil
}

// drained gives the order that has waited. What services are told of it follows.
func (s State) drained(now time.Time) (State, []actors.Effect, error) {
	s.Drain = nil
	s = s.event(now, drainEvent+".done")
	return s, slices.Concat(work(s), dismissals(s)), nil
}

// interrupted: while it drains, the machine is seen not to run, or its host is lost.
func (s State) interrupted(m *messages.DomainReported) bool {
	return s.Drain != nil && m.Host == s.View.Host && s.Fact.before(Fact{m.Order, m.Seq}) &&
		(m.Absent || m.HostDown || m.Power != messages.PowerState_POWER_STATE_RUNNING)
}

// wake is when the drain ends, or a service that has refused is asked again.
func wake(s State) time.Time {
	if s.Drain != nil {
		return s.Drain.Until
	}
	var at int64
	for _, d := range s.Said {
		if d.Again != 0 && (at == 0 || d.Again < at) {
			at = d.Again
		}
	}
	if at == 0 {
		return time.Time{}
	}
	return time.Unix(0, at)
}

func woken(s State, now time.Time) (State, []actors.Effect, error) {
	s, effects := s.retry(now)
	if s.Drain == nil || now.Before(s.Drain.Until) {
		return s, effects, nil
	}
	s, more, err := s.drained(now)
	return s, append(effects, more...), err
}
