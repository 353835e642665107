package directory

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

func createUser(s State, in actors.Input, m *messages.CreateUser) (State, proto.Message, error) {
	u := m.GetUser()
	if was, ok := s.Users.Get(u.GetId()); ok && was.Name == u.Name {
		return s, shown(was), nil // a retry
	} else if ok {
		return s, nil, fmt.Errorf("there is already a user %s: %w", u.Id, messages.Conflict)
	}
	err := first(checkID("user", u.GetId()), checkName("user", u.GetName()), checkUser(u), s.hasDomain(u.GetDomainId()),
		room("users", s.Users.Len(), MaxUsers))
	if err != nil {
		return s, nil, err
	}
	after, err := s.claim(ofUser, u.DomainId, u.Name, u.Id)
	if err != nil {
		return s, nil, err
	}
	u = proto.CloneOf(u)
	u.CreatedAt = in.Now.UnixNano()
	after.Users = after.Users.Set(u.Id, u)
	return after, shown(u), nil
}

func checkUser(u *messages.User) error {
	return first(checkText("the description", u.GetDescription()), checkText("the e-mail address", u.GetEmail()),
		checkHash(u.GetPasswordHash()), checkExtra(u.GetExtra()))
}

// shown is u as anybody may see it.
func shown(u *messages.User) *messages.User {
	u = proto.CloneOf(u)
	u.PasswordHash = ""
	return u
}

func updateUser(s State, in actors.Input, m *messages.UpdateUser) (State, proto.Message, error) {
	was, ok := s.Users.Get(m.Id)
	if !ok {
		return s, nil, absent("user", m.Id)
	}
	u := proto.CloneOf(was)
	set(&u.Name, m.Name)
	set(&u.Description, m.Description)
	set(&u.Enabled, m.Enabled)
	set(&u.Email, m.Email)
	set(&u.DefaultProjectId, m.DefaultProjectId)
	set(&u.PasswordHash, m.PasswordHash)
	u.Extra = merged(u.Extra, m.Extra)
	if err := checkUser(u); err != nil {
		return s, nil, err
	}
	after, err := s.rename(ofUser, u.DomainId, was.Name, u.Name, u.Id)
	if err != nil {
		return s, nil, err
	}
	after.Users = after.Users.Set(u.Id, u)
	if m.PasswordHash != nil {
		after.Failures = after.Failures.Delete(u.Id)
		after, err = after.revoke(in.Now, userSubject(u.Id), in.Now.Add(maxTokenLife).UnixNano())
	}
	return after, shown(u), err
}

func deleteUser(s State, m *messages.DeleteUser) (State, proto.Message, error) {
	u, ok := s.Users.Get(m.Id)
	if !ok {
		return s, nil, absent("user", m.Id)
	}
	s = s.dropCredentials(func(c *messages.ApplicationCredential) bool { return c.UserId == u.Id })
	s.Grants = s.Grants.Delete(u.Id)
	s.Failures = s.Failures.Delete(u.Id)
	s.Users = s.Users.Delete(u.Id)
	s.Names = s.Names.Delete(nameKey(ofUser, u.DomainId, u.Name))
	return s, nil, nil
}

func getUsers(s State, m *messages.GetUsers) *messages.UsersView {
	v := &messages.UsersView{}
	v.Users, v.More = list(s.Users, m.After, m.Limit, func(u *messages.User) bool {
		return is(m.Id, u.Id) && is(m.Name, u.Name) && is(m.DomainId, u.DomainId) && same(m.Enabled, u.Enabled)
	})
	for _, u := range v.Users {
		u.PasswordHash = "" // these are copies
	}
	return v
}
