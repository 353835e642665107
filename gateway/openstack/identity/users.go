package identity

import (
	"net/http"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

func userView(r *api.Request, u *messages.User) object {
	o := object{"id": u.Id, "name": u.Name, "domain_id": u.DomainId, "enabled": u.Enabled, "password_expires_at": nil,
		"options": object{}, "links": link(r, "users", u.Id)}
	for k, v := range map[string]string{"description": u.Description, "email": u.Email, "default_project_id": u.DefaultProjectId} {
		if v != "" {
			o[k] = v
		}
	}
	return with(o, u.Extra)
}

func (i *Identity) listUsers(r *api.Request) (api.Response, error) {
	after, limit, err := page(r)
	if err != nil {
		return api.Response{}, err
	}
	q := r.URL.Query()
	v, err := ask[*messages.UsersView](r.Context(), i, &messages.GetUsers{Name: q.Get("name"), DomainId: q.Get("domain_id"), Enabled: enabled(q), After: after, Limit: limit})
	if err != nil {
		return api.Response{}, err
	}
	return listed(r, "users", views(r, v.Users, userView), v.More), nil
}

func (i *Identity) createUser(r *api.Request) (api.Response, error) {
	f, err := decodeFields(r, "user")
	if err != nil {
		return api.Response{}, err
	}
	u := &messages.User{Id: newID(), Name: or(f.text("name"), ""), Description: or(f.text("description"), ""), Email: or(f.text("email"), ""),
		Enabled: or(f.is("enabled"), true), DomainId: or(f.text("domain_id"), homeDomain(r)), DefaultProjectId: or(f.text("default_project_id"), "")}
	password := f.text("password")
	f.refuse("options", "federated")
	if u.Extra = f.extra(); f.err != nil {
		return api.Response{}, f.err
	}
	if password != nil { // a user without one cannot log in by password
		if u.PasswordHash, err = i.hashes.hash(r.Context(), *password); err != nil {
			return api.Response{}, err
		}
	}
	made, err := changed[*messages.User](r.Context(), i, &messages.CreateUser{User: u})
	if err != nil {
		return api.Response{}, err
	}
	return api.Response{Status: http.StatusCreated, Body: object{"user": userView(r, made)}}, nil
}

func (i *Identity) showUser(r *api.Request) (api.Response, error) {
	id := r.PathValue("id")
	if err := i.owns(r, id); err != nil {
		return api.Response{}, err
	}
	v, err := ask[*messages.UsersView](r.Context(), i, &messages.GetUsers{Id: id})
	if err != nil {
		return api.Response{}, err
	}
	if len(v.Users) == 0 {
		return api.Response{}, notFound("user", id)
	}
	return api.Response{Body: object{"user": userView(r, v.Users[0])}}, nil
}

func (i *Identity) updateUser(r *api.Request) (api.Response, error) {
	f, err := decodeFields(r, "user")
	if err != nil {
		return api.Response{}, err
	}
	m := &messages.UpdateUser{Id: r.PathValue("id"), Name: f.text("name"), Description: f.text("description"), Enabled: f.is("enabled"),
		Email: f.text("email"), DefaultProjectId: f.text("default_project_id")}
	password := f.text("password")
	f.refuse("options", "federated", "domain_id")
	if m.Extra = f.extra(); f.err != nil {
		return api.Response{}, f.err
	}
	if password != nil {
		hash, err := i.hashes.hash(r.Context(), *password)
		if err != nil {
			return api.Response{}, err
		}
		m.PasswordHash = &hash
	}
	u, err := changed[*messages.User](r.Context(), i, m)
	if err != nil {
		return api.Response{}, err
	}
	return api.Response{Body: object{"user": userView(r, u)}}, nil
}

func (i *Identity) deleteUser(r *api.Request) (api.Response, error) {
	return api.Response{Status: http.StatusNoContent}, i.change(r.Context(), &messages.DeleteUser{Id: r.PathValue("id")})
}

// changePassword is for the user alone, and asks for the old password again: a
// stolen token must not become a stolen account.
func (i *Identity) changePassword(r *api.Request) (api.Response, error) {
	id := r.PathValue("id")
	if id != r.Principal.UserID {
		return api.Response{}, forbidden("identity:change_password")
	}
	f, err := decodeFields(r, "user")
	if err != nil {
		return api.Response{}, err
	}
	old, fresh := f.text("original_password"), f.text("password")
	switch {
	case f.err != nil:
		return api.Response{}, f.err
	case old == nil || fresh == nil:
		return api.Response{}, missing("original_password and password", "user")
	}
	if _, err := i.checkPassword(r.Context(), &messages.UserRef{Id: id}, *old); err != nil {
		return api.Response{}, unauthenticated(err)
	}
	hash, err := i.hashes.hash(r.Context(), *fresh)
	if err != nil {
		return api.Response{}, err
	}
	return api.Response{Status: http.StatusNoContent}, i.change(r.Context(), &messages.UpdateUser{Id: id, PasswordHash: proto.String(hash)})
}
