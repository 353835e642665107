package group

import (
	"fmt"
	"maps"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// create makes the group. Asked again with the same id, it gives the same answer.
func create(s State, in actors.Input, m *messages.CreateGroup) (State, []actors.Effect, error) {
	switch {
	case s.Gone || s.exists() && (s.ProjectID != m.ProjectId || s.Name != m.Name):
		return s, nil, fmt.Errorf("group id %s is taken: %w", in.ID, messages.Conflict)
	case s.exists():
		return s, []actors.Effect{actors.Reply{Message: full(s)}}, nil
	}
	if _, err := uuid.Parse(in.ID); err != nil {
		return s, nil, fmt.Errorf("the id of a group must be a UUID: %w", messages.Invalid)
	}
	t, err := newTemplate(m.Template, "")
	if err != nil {
		return s, nil, err
	}
	now := in.Now.UnixNano()
	made := State{
		ID: in.ID, Name: m.Name, ProjectID: m.ProjectId, UserID: m.UserId, RequestID: m.RequestId,
		Desired: m.Desired, Policy: newPolicy(m.Policy), Target: 1, Last: 1, CreatedAt: now, UpdatedAt: now,
		Members: s.Members, Templates: s.Templates.Set(revisionKey(1), t), looks: s.looks,
	}
	if err := made.check(); err != nil {
		return s, nil, err
	}
	made, effects, err := made.settle(in, s.Members, nil)
	return made, append(effects, actors.Reply{Message: full(made)}), err
}

// update changes the desired number and the policy.
func update(s State, in actors.Input, m *messages.UpdateGroup) (State, error) {
	was := s.Desired
	p := &s.Policy
	assign(&s.Desired, m.Desired)
	assign(&p.MinHealthy, m.MinHealthy)
	assign(&p.MaxUnavailable, m.MaxUnavailable)
	assign(&p.MaxSurge, m.MaxSurge)
	assign(&p.RollOnConfig, m.RollOnConfig)
	for _, d := range []struct {
		to *time.Duration
		ms *int64
	}{{&p.HostGrace, m.HostGraceMs}, {&p.Unhealthy, m.UnhealthyMs}, {&p.Start, m.StartMs}} {
		if d.ms != nil {
			*d.to = patience(*d.ms)
		}
	}
	s.RetryAt = 0 // somebody is at it: no need to wait
	if s.UpdatedAt = in.Now.UnixNano(); s.Desired != was {
		s = s.decided(in.Now, "%d members are desired, no longer %d", s.Desired, was)
	}
	return s, s.check()
}

func assign[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// roll makes a template the target.
func roll(s State, in actors.Input, m *messages.RollGroup) (State, error) {
	t, err := newTemplate(m.Template, m.Mark)
	if err != nil {
		return s, err
	}
	now, _ := s.Templates.Get(revisionKey(s.Target))
	if t.Mark == now.Mark && proto.Equal(t.Create, now.Create) {
		if s.Roll != nil && s.Roll.Stopped != "" {
			s.Roll, s.Failures, s.RetryAt = &Roll{}, 0, 0
			s = s.decided(in.Now, "the roll to revision %d goes on", s.Target)
		}
		return s, nil
	}
	if m.FromRevision != 0 && m.FromRevision != s.Target {
		return s, fmt.Errorf("group %s is at revision %d, not %d: %w", s.ID, s.Target, m.FromRevision, messages.Conflict)
	}
	return s.revise(in.Now, t.reads(now)), nil
}

// rollback goes back to the last revision that all members were in use with.
func rollback(s State, in actors.Input, m *messages.RollbackGroup) (State, error) {
	if m.FromRevision != 0 && m.FromRevision != s.Target {
		return s, nil // it has been left
	}
	to := s.Previous
	if s.Roll != nil && s.Good != s.Target {
		to = s.Good
	}
	if to == 0 || to == s.Target {
		return s, fmt.Errorf("group %s has no revision to go back to: %w", s.ID, messages.Conflict)
	}
	now, _ := s.Templates.Get(revisionKey(s.Target))
	t, _ := s.Templates.Get(revisionKey(to))
	if is := t.reads(now); s.Policy.RollOnConfig && !maps.Equal(is.Read, t.Read) {
		return s.revise(in.Now, is), nil // configs do not go back: its members of old have read others
	}
	return s.rollTo(in.Now, to), nil
}

// revise makes a template the newest revision, and the target.
func (s State) revise(now time.Time, t Template) State {
	s.Last++
	s.Templates = s.Templates.Set(revisionKey(s.Last), t)
	return s.rollTo(now, s.Last)
}

func (s State) rollTo(now time.Time, revision int64) State {
	s.Target, s.Roll, s.Failures, s.RetryAt, s.Reason = revision, &Roll{}, 0, 0, ""
	return s.decided(now, "a roll to revision %d begins", revision)
}

// decided notes something in the short list of what the group has done.
func (s State) decided(now time.Time, format string, a ...any) State {
	text := fmt.Sprintf(format, a...)
	s.UpdatedAt = now.UnixNano()
	s.Decisions = append([]Decision{{now.UnixNano(), text}}, s.Decisions...)
	if len(s.Decisions) > MaxDecisions {
		s.Decisions = s.Decisions[:MaxDecisions]
	}
	return s
}
