package directory

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Names of the roles that the cloud itself knows.
const (
	Admin  = "admin"
	Member = "member"
	Reader = "reader"
)

// implied lists what else a role gives.
var implied = map[string][]string{Admin: {Member, Reader}, Member: {Reader}}

func createRole(s State, in actors.Input, m *messages.CreateRole) (State, proto.Message, error) {
	r := m.GetRole()
	if was, ok := s.Roles.Get(r.GetId()); ok && was.Name == r.Name {
		return s, proto.CloneOf(was), nil // a retry
	} else if ok {
		return s, nil, fmt.Errorf("there is already a role %s: %w", r.Id, messages.Conflict)
	}
	err := first(checkID("role", r.GetId()), checkName("role", r.GetName()), checkText("the description", r.GetDescription()),
		room("roles", s.Roles.Len(), MaxRoles))
	if err != nil {
		return s, nil, err
	}
	after, err := s.claim(ofRole, "", r.Name, r.Id)
	if err != nil {
		return s, nil, err
	}
	r = proto.CloneOf(r)
	r.CreatedAt = in.Now.UnixNano()
	after.Roles = after.Roles.Set(r.Id, r)
	return after, proto.CloneOf(r), nil
}

func updateRole(s State, m *messages.UpdateRole) (State, proto.Message, error) {
	was, ok := s.Roles.Get(m.Id)
	if !ok {
		return s, nil, absent("role", m.Id)
	}
	r := proto.CloneOf(was)
	set(&r.Name, m.Name)
	set(&r.Description, m.Description)
	if r.Name != was.Name && builtIn(was.Name) {
		return s, nil, fmt.Errorf("the role %s is built in and keeps its name: %w", was.Name, messages.Denied)
	}
	if err := checkText("the description", r.Description); err != nil {
		return s, nil, err
	}
	after, err := s.rename(ofRole, "", was.Name, r.Name, r.Id)
	if err != nil {
		return s, nil, err
	}
	after.Roles = after.Roles.Set(r.Id, r)
	return after, proto.CloneOf(r), nil
}

func deleteRole(s State, m *messages.DeleteRole) (State, proto.Message, error) {
	r, ok := s.Roles.Get(m.Id)
	switch {
	case !ok:
		return s, nil, absent("role", m.Id)
	case builtIn(r.Name):
		return s, nil, fmt.Errorf("the role %s is built in: %w", r.Name, messages.Denied)
	}
	s = s.withdraw(func(g *messages.Grant) bool { return g.RoleId == r.Id })
	s.Roles = s.Roles.Delete(r.Id)
	s.Names = s.Names.Delete(nameKey(ofRole, "", r.Name))
	return s, nil, nil
}

func builtIn(name string) bool { return name == Admin || name == Member || name == Reader }

func getRoles(s State, m *messages.GetRoles) *messages.RolesView {
	v := &messages.RolesView{}
	v.Roles, _ = list(s.Roles, "", MaxRoles, func(r *messages.Role) bool { return is(m.Id, r.Id) && is(m.Name, r.Name) })
	return v
}

// withImplied is ids and the ids of the roles they imply, sorted.
func (s State) withImplied(ids []string) []string {
	all := slices.Clone(ids)
	for _, id := range ids {
		r, ok := s.Roles.Get(id)
		if !ok {
			continue
		}
		for _, name := range implied[r.Name] {
			if other, ok := s.named(ofRole, "", name); ok {
				all = append(all, other)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
