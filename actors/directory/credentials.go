package directory

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

func createCredential(s State, in actors.Input, m *messages.CreateApplicationCredential) (State, proto.Message, error) {
	c := m.GetCredential()
	if was, ok := s.Credentials.Get(c.GetId()); ok && was.UserId == c.UserId && was.Name == c.Name {
		return s, bare(was), nil // a retry
	}
	if err := s.checkCredential(in, c); err != nil {
		return s, nil, err
	}
	has := s.rolesOn(c.UserId, c.ProjectId, "")
	c = proto.CloneOf(c)
	if len(c.RoleIds) == 0 {
		c.RoleIds = has
	}
	c.RoleIds = sorted(c.RoleIds)
	all := s.withImplied(has)
	for _, id := range c.RoleIds {
		if !slices.Contains(all, id) {
			return s, nil, fmt.Errorf("the user has not the role %s on the project: %w", id, messages.Invalid)
		}
	}
	if len(c.RoleIds) == 0 {
		return s, nil, fmt.Errorf("the user has no role on the project: %w", messages.Denied)
	}
	c.CreatedAt = in.Now.UnixNano()
	s.Credentials = s.Credentials.Set(c.Id, c)
	return s, bare(c), nil
}

func (s State) checkCredential(in actors.Input, c *messages.ApplicationCredential) error {
	if _, taken := s.Credentials.Get(c.GetId()); taken {
		return fmt.Errorf("there is already an application credential %s: %w", c.GetId(), messages.Conflict)
	}
	if _, ok := s.Users.Get(c.GetUserId()); !ok {
		return absent("user", c.GetUserId())
	}
	if _, ok := s.Projects.Get(c.GetProjectId()); !ok {
		return absent("project", c.GetProjectId())
	}
	n := 0
	for _, other := range s.Credentials.All() {
		if other.UserId != c.UserId {
			continue
		}
		n++
		if other.Name == c.Name {
			return fmt.Errorf("there is already an application credential with the name %q: %w", c.Name, messages.Conflict)
		}
	}
	if c.ExpiresAt != 0 && c.ExpiresAt <= in.Now.UnixNano() {
		return fmt.Errorf("the application credential would have expired already: %w", messages.Invalid)
	}
	return first(checkID("application credential", c.Id), checkName("application credential", c.Name),
		checkText("the description", c.Description), checkHash(c.SecretHash),
		room("application credentials of one user", n, MaxCredentialsPerUser),
		room("application credentials", s.Credentials.Len(), MaxCredentials))
}

// bare is c as its owner may see it.
func bare(c *messages.ApplicationCredential) *messages.ApplicationCredential {
	c = proto.CloneOf(c)
	c.SecretHash = ""
	return c
}

func deleteCredential(s State, m *messages.DeleteApplicationCredential) (State, proto.Message, error) {
	c, ok := s.Credentials.Get(m.Id)
	if !ok || c.UserId != m.UserId {
		return s, nil, absent("application credential", m.Id)
	}
	s.Credentials = s.Credentials.Delete(m.Id)
	return s, nil, nil
}

func (s State) dropCredentials(gone func(*messages.ApplicationCredential) bool) State {
	for id, c := range s.Credentials.All() {
		if gone(c) {
			s.Credentials = s.Credentials.Delete(id)
		}
	}
	return s
}

func getCredentials(s State, m *messages.GetApplicationCredentials) *messages.ApplicationCredentialsView {
	v := &messages.ApplicationCredentialsView{}
	v.Credentials, _ = list(s.Credentials, "", MaxList, func(c *messages.ApplicationCredential) bool {
		return c.UserId == m.UserId && is(m.Id, c.Id) && is(m.Name, c.Name)
	})
	for _, c := range v.Credentials {
		c.SecretHash = "" // these are copies
	}
	return v
}
