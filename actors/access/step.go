package access

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Step decides what a message means for the registry's access.
func Step(s State, in actors.Input) (State, []actors.Effect, error) {
	var err error
	switch m := in.Message.(type) {
	case *messages.Activated, *messages.Nudged:
	case *messages.AssignRegistryRole:
		s, err = assign(s, m)
	case *messages.WithdrawRegistryRole:
		s, err = withdraw(s, m)
	case *messages.AddRegistryPermission:
		s, err = add(s, m.GetPermission())
	case *messages.RemoveRegistryPermission:
		s, err = remove(s, m.GetPermission())
	case *messages.GetRegistryAccess:
		return s, []actors.Effect{actors.Reply{Message: get(s, m)}}, nil
	default:
		err = fmt.Errorf("the registry's access cannot take %T: %w", in.Message, messages.Invalid)
	}
	return s, nil, err
}

func checkWord(what, s string, limit int) error {
	if s == "" || len(s) > limit || !utf8.ValidString(s) || strings.ContainsAny(s, " \t\r\n") {
		return fmt.Errorf("%s has 1 to %d bytes and no white space: %w", what, limit, messages.Invalid)
	}
	return nil
}

// assign gives a user a role; one that the user has is no error.
func assign(s State, m *messages.AssignRegistryRole) (State, error) {
	if err := checkWord("a role", m.Role, MaxRoleBytes); err != nil {
		return s, err
	}
	if err := checkWord("a user's name", m.User, MaxUserBytes); err != nil {
		return s, err
	}
	had, _ := s.Users.Get(m.User)
	at, has := slices.BinarySearch(had, m.Role)
	switch {
	case has:
		return s, nil
	case len(had) >= MaxRolesPerUser || s.Assigned >= MaxAssignments:
		return s, fmt.Errorf("%s has %d of at most %d roles, all users have %d of at most %d: %w",
			m.User, len(had), MaxRolesPerUser, s.Assigned, MaxAssignments, messages.Exhausted)
	}
	s.Users = s.Users.Set(m.User, slices.Insert(slices.Clone(had), at, m.Role))
	s.Assigned++
	return s, nil
}

// withdraw takes a role from a user; from everybody, with its permissions, if m
// names none. What is not there is no error.
func withdraw(s State, m *messages.WithdrawRegistryRole) (State, error) {
	if m.User != "" {
		return s.without(m.User, m.Role), nil
	}
	var users []string
	for user, roles := range s.Users.All() {
		if slices.Contains(roles, m.Role) {
			users = append(users, user)
		}
	}
	for _, user := range users {
		s = s.without(user, m.Role)
	}
	granted, _ := s.Roles.Get(m.Role)
	s.Granted -= len(granted)
	s.Roles = s.Roles.Delete(m.Role)
	return s, nil
}

func (s State) without(user, role string) State {
	had, _ := s.Users.Get(user)
	at, has := slices.BinarySearch(had, role)
	if !has {
		return s
	}
	s.Assigned--
	if len(had) == 1 {
		s.Users = s.Users.Delete(user)
	} else {
		s.Users = s.Users.Set(user, slices.Delete(slices.Clone(had), at, at+1))
	}
	return s
}

func compare(a, b Permission) int {
	return cmp.Or(strings.Compare(a.Resource, b.Resource), strings.Compare(a.Action, b.Action))
}

// add grants a permission. A role need not be assigned for that: it is a name.
func add(s State, p *messages.RegistryPermission) (State, error) {
	if err := checkPermission(p); err != nil {
		return s, err
	}
	row := Permission{p.Resource, p.Action}
	had, _ := s.Roles.Get(p.Role)
	at, has := slices.BinarySearchFunc(had, row, compare)
	switch {
	case has:
		return s, fmt.Errorf("the role %s has that permission already: %w", p.Role, messages.Conflict)
	case len(had) >= MaxPermissionsPerRole || s.Granted >= MaxPermissions:
		return s, fmt.Errorf("the role %s has %d of at most %d permissions, all roles have %d of at most %d: %w",
			p.Role, len(had), MaxPermissionsPerRole, s.Granted, MaxPermissions, messages.Exhausted)
	}
	s.Roles = s.Roles.Set(p.Role, slices.Insert(slices.Clone(had), at, row))
	s.Granted++
	return s, nil
}

func checkPermission(p *messages.RegistryPermission) error {
	if err := checkWord("a role", p.GetRole(), MaxRoleBytes); err != nil {
		return err
	}
	if err := checkWord("a resource", p.GetResource(), MaxResourceBytes); err != nil {
		return err
	}
	if _, _, _, ok := split(p.Resource); !ok {
		return fmt.Errorf("a resource is NAMESPACE:GROUP:TYPE/NAME, or ends with an asterisk: %w", messages.Invalid)
	}
	if p.Action != "r" && p.Action != "w" && p.Action != "rw" {
		return fmt.Errorf("an action is r, w or rw: %w", messages.Invalid)
	}
	return nil
}

// remove takes a permission back; one that is not there is no error.
func remove(s State, p *messages.RegistryPermission) (State, error) {
	had, _ := s.Roles.Get(p.GetRole())
	at, has := slices.BinarySearchFunc(had, Permission{p.GetResource(), p.GetAction()}, compare)
	if !has {
		return s, nil
	}
	s.Granted--
	if len(had) == 1 {
		s.Roles = s.Roles.Delete(p.Role)
	} else {
		s.Roles = s.Roles.Set(p.Role, slices.Delete(slices.Clone(had), at, at+1))
	}
	return s, nil
}

// get lists what m asks for: the roles of a user and what they may do, who has a
// role and what it may do, or everything.
func get(s State, m *messages.GetRegistryAccess) *messages.RegistryAccess {
	v := &messages.RegistryAccess{}
	if m.User != "" {
		roles, _ := s.Users.Get(m.User)
		for _, role := range roles {
			if m.Role == "" || m.Role == role {
				v.Roles = append(v.Roles, &messages.RegistryRole{Role: role, User: m.User})
				v.Permissions = s.permissions(v.Permissions, role)
			}
		}
		return v
	}
	for user, roles := range s.Users.All() {
		for _, role := range roles {
			if m.Role == "" || m.Role == role {
				v.Roles = append(v.Roles, &messages.RegistryRole{Role: role, User: user})
			}
		}
	}
	for role := range s.Roles.All() {
		if m.Role == "" || m.Role == role {
			v.Permissions = s.permissions(v.Permissions, role)
		}
	}
	slices.SortFunc(v.Roles, func(a, b *messages.RegistryRole) int {
		return cmp.Or(strings.Compare(a.Role, b.Role), strings.Compare(a.User, b.User))
	})
	slices.SortStableFunc(v.Permissions, func(a, b *messages.RegistryPermission) int { return strings.Compare(a.Role, b.Role) })
	return v
}

func (s State) permissions(to []*messages.RegistryPermission, role string) []*messages.RegistryPermission {
	granted, _ := s.Roles.Get(role)
	for _, p := range granted {
		to = append(to, permission(role, p))
	}
	return to
}
