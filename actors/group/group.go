// Package group decides which instances a scaling group consists of: how many, of
// which revision of its template, and which of them have to be replaced. It owns the
// list of its members and what it has decided. It builds and removes nothing itself:
// it asks instances, as a user would, within the same quota; and whether a member is
// well it learns from the instance, its host and the registry.
package group

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Kind is the kind's name; the identity is the group's UUID.
const Kind = "group"

// Ref is the grain of group id.
func Ref(id string) actors.Ref { return actors.Ref{Kind: Kind, ID: id} }

// State is one group. Without an ID there is none; of a deleted one the ID is left.
type State struct {
	ID, Name, ProjectID, UserID, RequestID string

	Desired int32
	Policy  Policy

	Target   int64 // the revision that all members are to have
	Good     int64 // the last one that all were in use with; 0: none yet
	Previous int64 // the good one before that
	Last     int64 // the newest one ever made
	Roll     *Roll `json:",omitempty"`

	Serial   int64 // of the last member made
	Failures int   // members in a row that could not be made or did not come into use
	RetryAt  int64 // when the next may be made; Unix nanoseconds
	Reason   string

	Deleting, Gone       bool
	CreatedAt, UpdatedAt int64
	Decisions            []Decision // the newest first

	Members   actors.Table[Member]   `json:"-"` // by instance
	Templates actors.Table[Template] `json:"-"` // by revision

	looks looks
}

// Policy is what the group may do by itself; see messages.GroupPolicy.
type Policy struct {
	MinHealthy, MaxUnavailable, MaxSurge int32
	HostGrace, Unhealthy, Start          time.Duration
	RollOnConfig                         bool `json:",omitempty"`
}

// Roll is under way from Good to Target; or has stopped, and why.
type Roll struct{ Stopped string }

// Decision is something that the group has done of its own accord, and why.
type Decision struct {
	At   int64
	Text string
}

// Template is one revision.
type Template struct {
	Create   *messages.CreateInstance // without id and name
	Mark     string
	Services []string // grains of the registry that have to find a member healthy
	Configs  []string `json:",omitempty"` // grains of the configs that a member reads

	// Read is what was last heard of the configs: the members of this revision have
	// read that, or nothing newer. Of one that is missing nothing was heard yet.
	Read map[string]Content `json:",omitempty"`
}

// Content is which one of a config: its MD5, "" if there is none, and a number that
// grows with each change.
type Content struct {
	MD5     string
	Version int64
}

// Spec is the kind. A group goes on looking at its members wherever it lives.
func Spec() actors.Kind {
	return actors.Spec[State]{
		Name: Kind, Step: Step, Outstanding: outstanding, Index: index,
		Wake: wake, Keep: func(s State) bool { return s.exists() },
		Tables: func(s *State) map[string]actors.Rows {
			return map[string]actors.Rows{"members": &s.Members, "templates": &s.Templates}
		},
	}.Kind()
}

func (s State) exists() bool { return s.ID != "" && !s.Gone }

// Step decides what a message means for a group. It is pure: an error means
// refused, and nothing has changed.
func Step(s State, in actors.Input) (State, []actors.Effect, error) {
	switch m := in.Message.(type) {
	case *messages.CreateGroup:
		return create(s, in, m)
	case *messages.Activated, *messages.Nudged, *messages.Woken, *messages.Answered, *messages.MemberChanged:
		if !s.exists() {
			return s, nil, nil // it comes late
		}
		return live(s, in)
	}
	if scope, ok := in.Message.(interface{ GetScope() string }); !s.exists() || ok && scope.GetScope() != "" && scope.GetScope() != s.ProjectID {
		return s, nil, fmt.Errorf("group %s could not be found: %w", in.ID, messages.NotFound)
	}
	switch m := in.Message.(type) {
	case *messages.GetGroup:
		return s, []actors.Effect{actors.Reply{Message: full(s)}}, nil
	case *messages.UpdateGroup:
		return s.ordered(in, func(s State) (State, error) { return update(s, in, m) })
	case *messages.RollGroup:
		return s.ordered(in, func(s State) (State, error) { return roll(s, in, m) })
	case *messages.RollbackGroup:
		return s.ordered(in, func(s State) (State, error) { return rollback(s, in, m) })
	case *messages.DeleteGroup:
		s.Deleting, s.Roll = true, nil
		return s.settle(in, s.Members, nil)
	}
	return s, nil, fmt.Errorf("a group cannot take %T: %w", in.Message, messages.Invalid)
}

// live is the group's own life: its looks, and what they have found.
func live(s State, in actors.Input) (State, []actors.Effect, error) {
	var effects []actors.Effect
	before := s.Members
	switch m := in.Message.(type) {
	case *messages.Activated, *messages.Nudged:
		effects = outstanding(s)
	case *messages.Woken:
		s, effects = look(s, in.Now)
	case *messages.MemberChanged:
		if member, ok := s.Members.Get(m.InstanceId); ok && member.Confirmed {
			return s, []actors.Effect{askView(s, m.InstanceId)}, nil
		}
		return s, nil, nil
	case *messages.Answered:
		s = answered(s, in.Now, m)
	}
	return s.settle(in, before, effects)
}

// ordered is a change by a user's order, answered with the view.
func (s State) ordered(in actors.Input, change func(State) (State, error)) (State, []actors.Effect, error) {
	if s.Deleting {
		return s, nil, fmt.Errorf("group %s is being deleted: %w", s.ID, messages.Conflict)
	}
	after, err := change(s)
	if err != nil {
		return s, nil, err
	}
	after, effects, err := after.settle(in, s.Members, nil)
	return after, append(effects, actors.Reply{Message: full(after)}), err
}

// settle decides what follows, and orders what was not ordered before.
func (s State) settle(in actors.Input, before actors.Table[Member], effects []actors.Effect) (State, []actors.Effect, error) {
	s = plan(s, in.Now)
	for id, m := range s.Members.All() {
		if was, ok := before.Get(id); ok && was.work() == m.work() {
			continue
		}
		effects = append(effects, order(s, id, m)...)
	}
	if next := in.Now.Add(s.pause()); s.looks.next.After(next) {
		s.looks.next = next
	}
	return s, effects, nil
}

// outstanding lists the creates and deletes that are not confirmed.
func outstanding(s State) []actors.Effect {
	var effects []actors.Effect
	for id, m := range s.Members.All() {
		effects = append(effects, order(s, id, m)...)
	}
	return effects
}

// order is what has to be asked for a member, if anything.
func order(s State, id string, m Member) []actors.Effect {
	to := actors.Ref{Kind: "instance", ID: id}
	switch m.work() {
	case creates:
		t, ok := s.Templates.Get(revisionKey(m.Revision))
		if !ok {
			return nil
		}
		return []actors.Effect{actors.Ask{To: to, Message: t.command(s, id, m)}}
	case removes:
		return []actors.Effect{actors.Ask{To: to, Message: &messages.ActOnInstance{
			Action: messages.Action_ACTION_DELETE, Scope: s.ProjectID, UserId: s.UserID, ProjectId: s.ProjectID, RequestId: s.RequestID,
		}}}
	}
	return nil
}

// command makes the instance's create of the template.
func (t Template) command(s State, id string, m Member) *messages.CreateInstance {
	c := proto.CloneOf(t.Create)
	c.Id, c.Name, c.Hostname, c.GroupId = id, m.Name, hostname(t.Create.GetHostname(), m.Serial), s.ID
	c.ProjectId, c.UserId, c.RequestId = s.ProjectID, s.UserID, s.RequestID
	return c
}
