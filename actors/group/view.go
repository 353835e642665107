package group

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

const deleting = messages.TaskState_TASK_STATE_DELETING

// What a group is at, as its view says.
const (
	StatusSettled  = "settled"
	StatusChanging = "changing"
	StatusRolling  = "rolling"
	StatusStopped  = "stopped" // a roll that did not get healthy
	StatusDeleting = "deleting"
)

// stateLost is what a member is that leaves, but has to wait for its host.
const stateLost = "lost"

func (s State) status() string {
	c := s.count()
	switch {
	case s.Deleting:
		return StatusDeleting
	case s.rolling() && s.Desired+int32(s.Members.Len()) > 0:
		return StatusRolling
	case s.Roll != nil && !s.rolling():
		return StatusStopped
	case c.healthy == int(s.Desired) && c.alive == c.healthy && c.going == 0:
		return StatusSettled
	}
	return StatusChanging
}

// listed is the group as lists show it.
func listed(s State) *messages.GroupView {
	c := s.count()
	v := &messages.GroupView{
		Id: s.ID, Name: s.Name, ProjectId: s.ProjectID, UserId: s.UserID, Desired: s.Desired,
		Policy: &messages.GroupPolicy{
			MinHealthy: s.Policy.MinHealthy, MaxUnavailable: s.Policy.MaxUnavailable, MaxSurge: s.Policy.MaxSurge,
			HostGraceMs: s.Policy.HostGrace.Milliseconds(), UnhealthyMs: s.Policy.Unhealthy.Milliseconds(), StartMs: s.Policy.Start.Milliseconds(),
			RollOnConfig: s.Policy.RollOnConfig,
		},
		Revision: s.Target, GoodRevision: s.Good, PreviousRevision: s.Previous, Status: s.status(), Reason: s.Reason,
		Healthy: int32(c.healthy), MembersCount: int32(s.Members.Len() - c.stranded), Lost: int32(c.stranded), CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
	}
	if s.Roll != nil && s.Roll.Stopped != "" {
		v.Reason = s.Roll.Stopped
	}
	return v
}

// full is the group with its template, its members and what it has done.
func full(s State) *messages.GroupView {
	v := listed(s)
	if t, ok := s.Templates.Get(revisionKey(s.Target)); ok {
		v.Template, v.TemplateMark = t.Create, t.Mark
	}
	for _, m := range s.members() {
		state, why := m.Phase.String(), m.Why
		if m.stranded() {
			state, why = stateLost, why+"; it is deleted once host "+m.Host+" is back"
		}
		v.Members = append(v.Members, &messages.GroupMember{
			InstanceId: m.id, Name: m.Name, Revision: m.Revision, State: state, Reason: why, Since: m.Since,
			VmState: m.VM, Host: m.Host, Addresses: m.Addresses,
		})
	}
	for _, d := range s.Decisions {
		v.Decisions = append(v.Decisions, &messages.GroupDecision{At: d.At, Text: d.Text})
	}
	return v
}

// IndexPrefix is where a project's groups are listed, the newest first; "" for those
// of all projects. Values are marshalled messages.GroupView.
func IndexPrefix(project string) string {
	if project == "" {
		return "group/"
	}
	return "group/" + actors.Escape(project) + "/"
}

func index(s State) []actors.Entry {
	if !s.exists() {
		return nil
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(listed(s))
	if err != nil {
		panic(fmt.Errorf("encode group view: %w", err)) // texts are checked before
	}
	return []actors.Entry{{Key: fmt.Sprintf("%s%020d-%s", IndexPrefix(s.ProjectID), math.MaxInt64-s.CreatedAt, s.ID), Value: raw}}
}
