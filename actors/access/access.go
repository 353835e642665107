// Package access decides who may do what in the registry and the configuration:
// which users have which roles, and what a role may do. It knows no passwords and
// no users but by name: those are package directory's. It answers with what it
// knows; whoever handles a request applies Allows.
package access

import (
	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Kind is the kind's name, and MainID the identity of its only grain.
const (
	Kind   = "access"
	MainID = "registry"
)

// Ref is the grain.
var Ref = actors.Ref{Kind: Kind, ID: MainID}

// Admin is the role that may do everything; it needs no permissions.
const Admin = "ROLE_ADMIN"

// Limits of what is kept.
const (
	MaxRoleBytes          = 50  // as in Nacos
	MaxUserBytes          = 255 // as in the directory
	MaxResourceBytes      = 512
	MaxAssignments        = 20_000
	MaxPermissions        = 20_000
	MaxRolesPerUser       = 100
	MaxPermissionsPerRole = 1_000
)

// State is who may do what. Lists in rows are replaced, never changed.
type State struct {
	Assigned, Granted int // how many roles of users, and permissions, there are in all

	Users actors.Table[[]string]     `json:"-"` // roles by user, sorted
	Roles actors.Table[[]Permission] `json:"-"` // permissions by role, sorted
}

// Permission is what a role may do.
type Permission struct{ Resource, Action string }

// Spec is the kind.
func Spec() actors.Kind {
	return actors.Spec[State]{Name: Kind, Step: Step, Tables: func(s *State) map[string]actors.Rows {
		return map[string]actors.Rows{"users": &s.Users, "roles": &s.Roles}
	}}.Kind()
}

func permission(role string, p Permission) *messages.RegistryPermission {
	return &messages.RegistryPermission{Role: role, Resource: p.Resource, Action: p.Action}
}
