package image

import (
	"fmt"
	"maps"
	"slices"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// What a member thinks of an image it was offered; only accepted ones are listed for it.
const (
	Pending  = "pending"
	Accepted = "accepted"
	Rejected = "rejected"
)

func addMember(s State, in actors.Input, m *messages.AddImageMember) (State, []actors.Effect, error) {
	if err := s.owned(m.Scope); err != nil {
		return s, nil, err
	}
	if s.Visibility != Shared {
		return s, nil, fmt.Errorf("only an image of visibility shared has members: %w", messages.Denied)
	}
	if _, is := s.Members[m.ProjectId]; is {
		return s, nil, fmt.Errorf("project %s is a member of image %s already: %w", m.ProjectId, s.ID, messages.Conflict)
	}
	if m.ProjectId == "" || tooLong(m.ProjectId) {
		return s, nil, fmt.Errorf("a member is named by its project's id: %w", messages.Invalid)
	}
	return setMember(s, in, m.ProjectId, Member{Status: Pending, CreatedAt: in.Now.UnixNano()})
}

// updateMember is the member's own decision, not the owner's.
func updateMember(s State, in actors.Input, m *messages.UpdateImageMember) (State, []actors.Effect, error) {
	if !s.visible(m.Scope) {
		return s, nil, absent(s.ID)
	}
	if m.Scope != "" && m.Scope != m.ProjectId {
		return s, nil, fmt.Errorf("only project %s itself may decide that: %w", m.ProjectId, messages.Denied)
	}
	was, is := s.Members[m.ProjectId]
	if !is {
		return s, nil, notMember(s.ID, m.ProjectId)
	}
	if !slices.Contains([]string{Pending, Accepted, Rejected}, m.Status) {
		return s, nil, fmt.Errorf("a member's status is pending, accepted or rejected: %w", messages.Invalid)
	}
	was.Status = m.Status
	return setMember(s, in, m.ProjectId, was)
}

func removeMember(s State, in actors.Input, m *messages.RemoveImageMember) (State, []actors.Effect, error) {
	if err := s.owned(m.Scope); err != nil {
		return s, nil, err
	}
	if _, is := s.Members[m.ProjectId]; !is {
		return s, nil, notMember(s.ID, m.ProjectId)
	}
	s.Members = maps.Clone(s.Members)
	delete(s.Members, m.ProjectId)
	s.UpdatedAt = in.Now.UnixNano()
	return s, nil, nil
}

func setMember(s State, in actors.Input, project string, m Member) (State, []actors.Effect, error) {
	members := maps.Clone(s.Members)
	if members == nil {
		members = map[string]Member{}
	}
	m.UpdatedAt = in.Now.UnixNano()
	members[project] = m
	s.Members = members
	return checked(s, in)
}

func notMember(id, project string) error {
	return fmt.Errorf("project %s is not a member of image %s: %w", project, id, messages.NotFound)
}
