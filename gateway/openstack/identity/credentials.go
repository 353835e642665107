package identity

import (
	"encoding/base64"
	"net/http"
	"time"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// secretBytes of randomness are in a secret that we make.
const secretBytes = 64

// credentialView shows a credential. Its roles are named from names.
func credentialView(r *api.Request, c *messages.ApplicationCredential, names map[string]string) object {
	roles := []object{}
	for _, id := range c.RoleIds {
		roles = append(roles, object{"id": id, "name": names[id], "domain_id": nil})
	}
	o := object{"id": c.Id, "name": c.Name, "description": c.Description, "project_id": c.ProjectId, "user_id": c.UserId, "roles": roles,
		"unrestricted": c.Unrestricted, "expires_at": nil, "system": nil, "links": link(r, "users/"+c.UserId+"/application_credentials", c.Id)}
	if c.ExpiresAt != 0 {
		o["expires_at"] = stamp(c.ExpiresAt)
	}
	return o
}

// roleNames is the name of every role, by id.
func (i *Identity) roleNames(r *api.Request) (map[string]string, error) {
	v, err := ask[*messages.RolesView](r.Context(), i, &messages.GetRoles{})
	names := map[string]string{}
	for _, role := range v.GetRoles() {
		names[role.Id] = role.Name
	}
	return names, err
}

// credentials finds those of the user in the path, as far as the caller may see them.
func (i *Identity) credentials(r *api.Request, id, name string) ([]object, error) {
	user := r.PathValue("user")
	if err := i.owns(r, user); err != nil {
		return nil, err
	}
	v, err := ask[*messages.ApplicationCredentialsView](r.Context(), i, &messages.GetApplicationCredentials{UserId: user, Id: id, Name: name})
	if err != nil {
		return nil, err
	}
	names, err := i.roleNames(r)
	if err != nil {
		return nil, err
	}
	var all []object
	for _, c := range v.Credentials {
		all = append(all, credentialView(r, c, names))
	}
	return all, nil
}

func (i *Identity) listCredentials(r *api.Request) (api.Response, error) {
	all, err := i.credentials(r, "", r.URL.Query().Get("name"))
	if err != nil {
		return api.Response{}, err
	}
	return listed(r, "application_credentials", all, false), nil
}

func (i *Identity) showCredential(r *api.Request) (api.Response, error) {
	id := r.PathValue("id")
	all, err := i.credentials(r, id, "")
	if err != nil {
		return api.Response{}, err
	}
	if len(all) == 0 {
		return api.Response{}, notFound("application credential", id)
	}
	return api.Response{Body: object{"application_credential": all[0]}}, nil
}

// mayDelegate refuses who may not make or remove credentials of user: others,
// and whoever came with a credential that is not itself unrestricted.
func (i *Identity) mayDelegate(r *api.Request, user string) error {
	if r.Principal.UserID != user {
		return forbidden("an application credential belongs to its user alone")
	}
	s, err := i.session(r.Context(), r.Principal.Token)
	if err != nil {
		return err
	}
	if c := s.access.GetCredential(); c != nil && !c.Unrestricted {
		return forbidden("the application credential is restricted")
	}
	return nil
}

func (i *Identity) createCredential(r *api.Request) (api.Response, error) {
	user := r.PathValue("user")
	if err := i.mayDelegate(r, user); err != nil {
		return api.Response{}, err
	}
	if r.Principal.ProjectID == "" {
		return api.Response{}, forbidden("an application credential needs a token scoped to a project")
	}
	names, err := i.roleNames(r)
	if err != nil {
		return api.Response{}, err
	}
	c, secret, err := decodeCredential(r, names)
	if err != nil {
		return api.Response{}, err
	}
	if c.SecretHash, err = i.hashes.hash(r.Context(), secret); err != nil {
		return api.Response{}, err
	}
	made, err := changed[*messages.ApplicationCredential](r.Context(), i, &messages.CreateApplicationCredential{Credential: c})
	if err != nil {
		return api.Response{}, err
	}
	view := credentialView(r, made, names)
	view["secret"] = secret // this once: nobody can show it again
	return api.Response{Status: http.StatusCreated, Body: object{"application_credential": view}}, nil
}

func decodeCredential(r *api.Request, names map[string]string) (*messages.ApplicationCredential, string, error) {
	f, err := decodeFields(r, "application_credential")
	if err != nil {
		return nil, "", err
	}
	c := &messages.ApplicationCredential{Id: newID(), UserId: r.Principal.UserID, ProjectId: r.Principal.ProjectID,
		Name: or(f.text("name"), ""), Description: or(f.text("description"), ""), Unrestricted: or(f.is("unrestricted"), false)}
	secret := or(f.text("secret"), "")
	if secret == "" {
		secret = base64.RawURLEncoding.EncodeToString(random(secretBytes))
	}
	if at := f.text("expires_at"); at != nil {
		if c.ExpiresAt, err = parseTime(*at); err != nil {
			return nil, "", err
		}
	}
	f.refuse("access_rules", "system")
	if c.RoleIds, err = rolesOf(f.m["roles"], names); err != nil {
		return nil, "", err
	}
	return c, secret, f.err
}

// rolesOf reads [{"id": ...}, {"name": ...}]; nil where there is none.
func rolesOf(v any, names map[string]string) ([]string, error) {
	list, ok := v.([]any)
	if v != nil && !ok {
		return nil, api.Refuse(messages.Invalid, "Invalid input for field 'roles': it is not of type 'array'.")
	}
	var ids []string
	for _, item := range list {
		o, _ := item.(map[string]any)
		id, _ := o["id"].(string)
		name, _ := o["name"].(string)
		for candidate, called := range names {
			if id == "" && name != "" && called == name {
				id = candidate
			}
		}
		if _, ok := names[id]; !ok {
			return nil, notFound("role", id+name)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// parseTime reads a time in UTC with or without fraction and Z. Its result is
// in Unix nanoseconds.
func parseTime(s string) (int64, error) {
	for _, layout := range []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05"} { // both take a fraction
		if t, err := time.Parse(layout, s); err == nil {
			return t.UnixNano(), nil
		}
	}
	return 0, api.Refuse(messages.Invalid, "Invalid input for field 'expires_at': %s is not a 'date-time'.", short(s))
}

func (i *Identity) deleteCredential(r *api.Request) (api.Response, error) {
	user := r.PathValue("user")
	owner := user
	if r.Principal.Admin() {
		owner = r.Principal.UserID // may do it for others, unless restricted
	}
	if err := i.mayDelegate(r, owner); err != nil {
		return api.Response{}, err
	}
	return api.Response{Status: http.StatusNoContent}, i.change(r.Context(), &messages.DeleteApplicationCredential{UserId: user, Id: r.PathValue("id")})
}
