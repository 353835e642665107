package auth

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors/access"
	"github.com/troupe-cloud/troupe/actors/directory"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

// userView is a user in a list. Nacos shows the hash of the password too.
type userView struct {
	Username string `json:"username"`
}

// every is all users of the Default domain, by name. It is an administrator's
// question; the directory answers it in pages.
func (a *Auth) every(ctx context.Context) ([]*messages.User, error) {
	var all []*messages.User
	for after := ""; ; {
		v, err := cluster.Ask[*messages.UsersView](ctx, a.cfg.Client, directory.Ref, &messages.GetUsers{DomainId: directory.DefaultDomainID, After: after})
		if err != nil {
			return nil, err
		}
		all = append(all, v.Users...)
		if !v.More || len(v.Users) == 0 {
			slices.SortFunc(all, func(x, y *messages.User) int { return strings.Compare(x.Name, y.Name) })
			return all, nil
		}
		after = v.Users[len(v.Users)-1].Id
	}
}

// find is the user of that name.
func (a *Auth) find(ctx context.Context, name string) (*messages.User, error) {
	v, err := cluster.Ask[*messages.UsersView](ctx, a.cfg.Client, directory.Ref, &messages.GetUsers{DomainId: directory.DefaultDomainID, Name: name})
	if err != nil {
		return nil, err
	}
	if len(v.Users) == 0 {
		return nil, api.ParameterInvalid.Errorf("user '%s' not found!", api.Short(name))
	}
	return v.Users[0], nil
}

// wanted says which names a list is about: those like asked, where search=blur lets
// an asterisk stand for anything; all, if nothing is asked.
func wanted(v *api.Values, asked string) func(string) bool {
	blur := v.Text("search") == "blur"
	return func(name string) bool { return asked == "" || name == asked || blur && access.Glob(asked, name) }
}

func (a *Auth) listUsers(r *api.Request) (api.Answer, error) {
	v := r.Values()
	page, keep := v.Page(0), wanted(v, v.Text(paramUsername))
	if v.Err() != nil {
		return api.Answer{}, v.Err()
	}
	users, err := a.every(r.Context())
	if err != nil {
		return api.Answer{}, err
	}
	views := []userView{}
	for _, u := range users {
		if keep(u.Name) {
			views = append(views, userView{u.Name})
		}
	}
	return api.Answer{Data: api.Cut(views, page)}, nil
}

func (a *Auth) searchUsers(r *api.Request) (api.Answer, error) {
	part := r.Values().Text(paramUsername)
	users, err := a.every(r.Context())
	names := []string{}
	for _, u := range users {
		if strings.Contains(u.Name, part) {
			names = append(names, u.Name)
		}
	}
	return api.Answer{Data: names}, err
}

func (a *Auth) createUser(r *api.Request) (api.Answer, error) {
	v := r.Values()
	name, password := v.Need(paramUsername), v.Need(paramPassword)
	if err := errors.Join(v.Err(), checkUsername(name), checkPassword(password)); err != nil {
		return api.Answer{}, err
	}
	hash, err := a.cfg.Identity.HashPassword(r.Context(), password)
	if err != nil {
		return api.Answer{}, err
	}
	u := &messages.User{Id: newID(), Name: name, DomainId: directory.DefaultDomainID, Enabled: true, PasswordHash: hash}
	err = a.change(r.Context(), directory.Ref, &messages.CreateUser{User: u})
	if errors.Is(err, messages.Conflict) {
		err = api.ParameterInvalid.Errorf("user '%s' already exist!", name)
	}
	return api.Answer{Data: "create user ok!"}, err
}

// updateUser sets a password: an administrator anybody's, everybody his own. All
// tokens of the user end.
func (a *Auth) updateUser(r *api.Request) (api.Answer, error) {
	v := r.Values()
	name, password := v.Need(paramUsername), v.Need("newPassword")
	if err := errors.Join(v.Err(), checkPassword(password)); err != nil {
		return api.Answer{}, err
	}
	if !r.User.Admin && r.User.Name != name {
		return api.Answer{}, api.AccessDenied.Errorf("authorization failed!")
	}
	u, err := a.find(r.Context(), name)
	if err != nil {
		return api.Answer{}, err
	}
	hash, err := a.cfg.Identity.HashPassword(r.Context(), password)
	if err != nil {
		return api.Answer{}, err
	}
	err = a.change(r.Context(), directory.Ref, &messages.UpdateUser{Id: u.Id, PasswordHash: proto.String(hash)})
	return api.Answer{Data: "update user ok!"}, err
}

// deleteUser removes a user with his roles, but no administrator: there has to be
// one, and the roles of the cloud are the cloud's to take.
func (a *Auth) deleteUser(r *api.Request) (api.Answer, error) {
	v := r.Values()
	name := v.Need(paramUsername)
	if v.Err() != nil {
		return api.Answer{}, v.Err()
	}
	u, err := a.find(r.Context(), name)
	if err != nil {
		return api.Answer{}, err
	}
	rights, err := a.rights(r.Context(), claims{UserID: u.Id})
	if err != nil && !errors.Is(err, messages.Denied) { // a disabled user has none
		return api.Answer{}, err
	}
	if rights != nil && rights.Admin {
		return api.Answer{}, api.ParameterInvalid.Errorf("cannot delete admin: %s", name)
	}
	has, err := cluster.Ask[*messages.RegistryAccess](r.Context(), a.cfg.Client, access.Ref, &messages.GetRegistryAccess{User: name})
	if err != nil {
		return api.Answer{}, err
	}
	for _, role := range has.Roles { // before the user: another one of the same name must not inherit them
		if err := a.change(r.Context(), access.Ref, &messages.WithdrawRegistryRole{Role: role.Role, User: name}); err != nil {
			return api.Answer{}, err
		}
	}
	err = a.change(r.Context(), directory.Ref, &messages.DeleteUser{Id: u.Id})
	return api.Answer{Data: "delete user ok!"}, err
}

// firstAdmin would make the first administrator; there is one from the first start.
func (a *Auth) firstAdmin(*api.Request) (api.Answer, error) {
	return api.Answer{}, api.ResourceConflict.Errorf("have admin user cannot use it")
}

// checkUsername refuses what the directory or the access actor could not keep.
func checkUsername(name string) error {
	bad := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }
	if len(name) > access.MaxUserBytes || strings.ContainsFunc(name, bad) {
		return api.ParameterInvalid.Errorf("Param 'username' is illegal, it has at most %d bytes and no white space", access.MaxUserBytes)
	}
	return nil
}

func checkPassword(password string) error {
	if utf8.RuneCountInString(password) > api.MaxPassword {
		return api.ParameterInvalid.Errorf("a password has at most %d characters", api.MaxPassword)
	}
	return nil
}

func newID() string {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails
	return hex.EncodeToString(raw)
}
