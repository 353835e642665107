// Package directory decides who exists and who may do what: domains, projects,
// users, roles, grants, application credentials, and which tokens have ended
// early. It is the only truth about identity. It makes and checks no hash and no
// token; the identity dialect of the gateway does.
package directory

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Name is the kind, and MainID the identity of its only grain.
const (
	Name   = "directory"
	MainID = "main"
)

// Ref is the directory.
var Ref = actors.Ref{Kind: Name, ID: MainID}

// DefaultDomainID is the domain that bootstrap makes. Its name is Default, as
// clients and tests of the identity API expect.
const (
	DefaultDomainID   = "default"
	defaultDomainName = "Default"
)

// State is everybody and everything that has a right.
type State struct {
	Bootstrap *messages.BootstrapView `json:",omitempty"` // nil: not yet done
	NextPurge int64                   `json:",omitempty"` // when ended revocations are looked for, Unix ns

	Domains     actors.Table[*messages.Domain]                `json:"-"`
	Projects    actors.Table[*messages.IdentityProject]       `json:"-"`
	Users       actors.Table[*messages.User]                  `json:"-"`
	Roles       actors.Table[*messages.Role]                  `json:"-"`
	Grants      actors.Table[[]*messages.Grant]               `json:"-"` // by user
	Credentials actors.Table[*messages.ApplicationCredential] `json:"-"`
	Names       actors.Table[string]                          `json:"-"` // nameKey -> id
	Revoked     actors.Table[Revocation]                      `json:"-"` // by subject
	Failures    actors.Table[Failure]                         `json:"-"` // by user
}

// Spec is the kind as the runtime takes it.
func Spec() actors.Spec[State] {
	return actors.Spec[State]{Name: Name, Step: Step, Tables: tables}
}

// Kind is Spec made runnable.
func Kind() actors.Kind { return Spec().Kind() }

func tables(s *State) map[string]actors.Rows {
	return map[string]actors.Rows{
		"domains": &s.Domains, "projects": &s.Projects, "users": &s.Users, "roles": &s.Roles, "grants": &s.Grants,
		"credentials": &s.Credentials, "names": &s.Names, "revoked": &s.Revoked, "failures": &s.Failures,
	}
}

// Step decides what a message means for the directory. Rows are never changed
// where they are: whoever changes one puts a copy in its place.
func Step(s State, in actors.Input) (State, []actors.Effect, error) {
	switch in.Message.(type) {
	case *messages.Activated, *messages.Nudged:
		return s, nil, nil
	}
	if view, ok, err := query(s, in); ok {
		if err != nil {
			return s, nil, err
		}
		return s, []actors.Effect{actors.Reply{Message: view}}, nil
	}
	after, view, err := command(s, in)
	if err != nil {
		return s, nil, err
	}
	if view == nil {
		return after, nil, nil
	}
	return after, []actors.Effect{actors.Reply{Message: view}}, nil
}

// query answers what only reads; ok is false for everything else.
func query(s State, in actors.Input) (view proto.Message, ok bool, err error) {
	switch m := in.Message.(type) {
	case *messages.GetBootstrap:
		view, err = getBootstrap(s)
	case *messages.GetLogin:
		view, err = getLogin(s, in, m)
	case *messages.GetAccess:
		view, err = getAccess(s, in, m)
	case *messages.GetDomains:
		view = getDomains(s, m)
	case *messages.GetProjects:
		view = getProjects(s, m)
	case *messages.GetUsers:
		view = getUsers(s, m)
	case *messages.GetRoles:
		view = getRoles(s, m)
	case *messages.GetGrants:
		view, err = getGrants(s, m)
	case *messages.GetApplicationCredentials:
		view = getCredentials(s, m)
	default:
		return nil, false, nil
	}
	return view, true, err
}

// command changes the directory; a nil view is answered with Done.
func command(s State, in actors.Input) (State, proto.Message, error) {
	switch m := in.Message.(type) {
	case *messages.BootstrapDirectory:
		return bootstrap(s, in, m)
	case *messages.CreateDomain:
		return createDomain(s, in, m)
	case *messages.UpdateDomain:
		return updateDomain(s, m)
	case *messages.DeleteDomain:
		return deleteDomain(s, m)
	case *messages.CreateProject:
		return createProject(s, in, m)
	case *messages.UpdateProject:
		return updateProject(s, m)
	case *messages.DeleteProject:
		return deleteProject(s, m)
	case *messages.CreateUser:
		return createUser(s, in, m)
	case *messages.UpdateUser:
		return updateUser(s, in, m)
	case *messages.DeleteUser:
		return deleteUser(s, m)
	case *messages.CreateRole:
		return createRole(s, in, m)
	case *messages.UpdateRole:
		return updateRole(s, m)
	case *messages.DeleteRole:
		return deleteRole(s, m)
	case *messages.GrantRole:
		return grantRole(s, m)
	case *messages.WithdrawRole:
		return withdrawRole(s, m)
	case *messages.CreateApplicationCredential:
		return createCredential(s, in, m)
	case *messages.DeleteApplicationCredential:
		return deleteCredential(s, m)
	case *messages.RevokeTokens:
		return revokeTokens(s, in, m)
	case *messages.RecordLogin:
		return recordLogin(s, in, m)
	}
	return s, nil, fmt.Errorf("directory cannot take %T: %w", in.Message, messages.Invalid)
}
