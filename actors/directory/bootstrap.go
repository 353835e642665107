package directory

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

func getBootstrap(s State) (*messages.BootstrapView, error) {
	if s.Bootstrap == nil {
		return nil, fmt.Errorf("the directory is empty: %w", messages.NotFound)
	}
	return proto.CloneOf(s.Bootstrap), nil
}

// bootstrap is the other commands in a row: what it may not do, they refuse.
func bootstrap(s State, in actors.Input, m *messages.BootstrapDirectory) (State, proto.Message, error) {
	if s.Bootstrap != nil {
		return s, proto.CloneOf(s.Bootstrap), nil
	}
	if len(m.Roles) == 0 {
		return s, nil, fmt.Errorf("a bootstrap names at least the administrator's role: %w", messages.Invalid)
	}
	after := s
	run := []proto.Message{
		&messages.CreateDomain{Domain: &messages.Domain{Id: DefaultDomainID, Name: defaultDomainName, Enabled: true, Description: "The default domain"}},
		&messages.CreateProject{Project: &messages.IdentityProject{Id: m.ProjectId, Name: m.ProjectName, DomainId: DefaultDomainID, Enabled: true}},
		&messages.CreateUser{User: &messages.User{Id: m.UserId, Name: m.UserName, DomainId: DefaultDomainID, Enabled: true,
			PasswordHash: m.PasswordHash, DefaultProjectId: m.ProjectId}},
	}
	for _, r := range m.Roles {
		run = append(run, &messages.CreateRole{Role: r})
	}
	run = append(run,
		&messages.GrantRole{Grant: &messages.Grant{UserId: m.UserId, RoleId: m.Roles[0].Id, ProjectId: m.ProjectId}},
		&messages.GrantRole{Grant: &messages.Grant{UserId: m.UserId, RoleId: m.Roles[0].Id, DomainId: DefaultDomainID}})
	for _, cmd := range run {
		var err error
		if after, _, err = command(after, actors.Input{ID: in.ID, Now: in.Now, Message: cmd}); err != nil {
			return s, nil, fmt.Errorf("bootstrap: %w", err)
		}
	}
	after.Bootstrap = &messages.BootstrapView{UserId: m.UserId, ProjectId: m.ProjectId, At: in.Now.UnixNano()}
	return after, proto.CloneOf(after.Bootstrap), nil
}
