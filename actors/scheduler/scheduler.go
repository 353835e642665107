// Package scheduler proposes hosts for instances. Requests that wait are decided
// together: one query to the hosts serves many, and each choice is visible to
// the next. It holds nothing and commits nothing: only a host can accept.
package scheduler

import (
	"fmt"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/placement"
	"github.com/troupe-cloud/troupe/messages"
)

// Kind is the kind's name.
const Kind = "scheduler"

// Main is the scheduler that instances ask.
var Main = actors.Ref{Kind: Kind, ID: "main"}

// Mode is where the scheduler's knowledge of the hosts comes from.
type Mode string

// The modes, as Nova had them.
const (
	Filter  Mode = "filter"  // asks the hosts, every round
	Caching Mode = "caching" // uses the last answer for CacheTime
	Chance  Mode = "chance"  // asks the hosts, and picks any that passes
)

// CacheTime is how long an answer serves in Caching mode; RoundTime is how long
// a round may take before its query counts as lost; MaxRound is how many
// requests one round decides.
const (
	CacheTime = time.Second
	RoundTime = 2 * time.Second
	MaxRound  = 512
)

// State lives in memory only. Whoever is forgotten by a move asks again.
type State struct {
	Mode    Mode
	Round   uint64
	Asked   time.Time // of the round under way; zero: none
	Waiting line
	Hosts   *placement.Pool // in Caching mode: the last answer, with the choices made since; nil: none
	HostsAt time.Time
}

// Spec is the kind in one mode.
func Spec(mode Mode) actors.Kind {
	return actors.Spec[State]{
		Name: Kind, Volatile: true,
		Step: func(s State, in actors.Input) (State, []actors.Effect, error) {
			s.Mode = mode
			return Step(s, in)
		},
	}.Kind()
}

// Step decides what a message means for a scheduler.
func Step(s State, in actors.Input) (State, []actors.Effect, error) {
	switch m := in.Message.(type) {
	case *messages.ScheduleInstance:
		return enqueue(s, in.Now, m)
	case *messages.HostsAnswered:
		return answered(s, in.Now, m)
	case *messages.Activated, *messages.Nudged:
		return s, nil, nil
	}
	return s, nil, fmt.Errorf("a scheduler cannot take %T: %w", in.Message, messages.Invalid)
}

func enqueue(s State, now time.Time, m *messages.ScheduleInstance) (State, []actors.Effect, error) {
	s.Waiting = s.Waiting.join(m)
	return next(s, now)
}

// next starts a round if somebody waits and none is under way.
func next(s State, now time.Time) (State, []actors.Effect, error) {
	if s.Waiting.len() == 0 || (!s.Asked.IsZero() && now.Sub(s.Asked) < RoundTime) {
		return s, nil, nil
	}
	if s.Mode == Caching && s.Hosts != nil && now.Sub(s.HostsAt) < CacheTime {
		return decide(s, now, s.Hosts.Fork())
	}
	s.Round, s.Asked = s.Round+1, now
	return s, []actors.Effect{actors.QueryHosts{Round: s.Round}}, nil
}

func answered(s State, now time.Time, m *messages.HostsAnswered) (State, []actors.Effect, error) {
	if m.Round != s.Round {
		return s, nil, nil // of a round that was given up
	}
	s.Asked, s.HostsAt = time.Time{}, now
	s, effects, err := decide(s, now, placement.NewPool(m.Hosts))
	if err != nil {
		return s, nil, err
	}
	s, more, err := next(s, now)
	return s, append(effects, more...), err
}

// decide places up to MaxRound of those who wait in pool, in the order they came.
func decide(s State, now time.Time, pool *placement.Pool) (State, []actors.Effect, error) {
	batch, left := s.Waiting.leave(MaxRound)
	s.Waiting = left
	effects := make([]actors.Effect, 0, len(batch))
	for _, m := range batch {
		group := pool.Group(m.Shape)
		r := placement.Request{ScheduleShape: m.Shape, Instance: m.InstanceId, Excluded: m.ExcludedHosts}
		d := group.Choose(r)
		if s.Mode == Chance {
			group.ChooseAny(r, d)
		}
		d.At, d.Mode, d.Batch = now.UnixNano(), string(s.Mode), int32(len(batch))
		if d.Chosen != "" {
			pool.Take(d.Chosen, m.Shape)
		}
		effects = append(effects, actors.Tell{
			To: actors.Ref{Kind: "instance", ID: m.InstanceId}, Message: answer(m, d, pool.Zone(d.Chosen)),
		})
	}
	if s.Hosts = nil; s.Mode == Caching && pool.Len() > 0 {
		s.Hosts = pool // evaluated already, for the next
	}
	return s, effects, nil
}

func answer(m *messages.ScheduleInstance, d *messages.Decision, zone string) actors.Message {
	if d.Chosen == "" {
		return &messages.NoHostFound{InstanceId: m.InstanceId, Attempt: m.Attempt, Reason: why(d), Decision: d}
	}
	return &messages.HostChosen{
		InstanceId: m.InstanceId, Attempt: m.Attempt, Host: d.Chosen, AvailabilityZone: zone, Decision: d,
	}
}

// why names what each filter removed: "No valid host was found" alone helps nobody.
func why(d *messages.Decision) string {
	if d.Hosts == 0 {
		return "No valid host was found. There are no hosts."
	}
	parts := make([]string, 0, len(d.Removed))
	for _, f := range d.Removed {
		parts = append(parts, fmt.Sprintf("%s removed %d", f.Filter, f.Hosts))
	}
	return fmt.Sprintf("No valid host was found. Of %d hosts: %s.", d.Hosts, strings.Join(parts, ", "))
}
