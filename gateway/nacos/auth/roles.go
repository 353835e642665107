package auth

import (
	"context"
	"errors"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/access"
	"github.com/troupe-cloud/troupe/actors/directory"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

// change has a grain change who may do what, after which nothing that was looked
// at before is believed here, not even if the outcome is unknown.
func (a *Auth) change(ctx context.Context, to actors.Ref, m proto.Message) error {
	defer a.changes.Add(1)
	if to == directory.Ref {
		return a.cfg.Identity.Change(ctx, m)
	}
	_, err := a.cfg.Client.Ask(ctx, to, m)
	return err
}

func (a *Auth) access(ctx context.Context, m *messages.GetRegistryAccess) (*messages.RegistryAccess, error) {
	return cluster.Ask[*messages.RegistryAccess](ctx, a.cfg.Client, access.Ref, m)
}

type roleView struct {
	Role     string `json:"role"`
	Username string `json:"username"`
}

func (a *Auth) listRoles(r *api.Request) (api.Answer, error) {
	v := r.Values()
	page, user, role := v.Page(0), wanted(v, v.Text(paramUsername)), wanted(v, v.Text("role"))
	if v.Err() != nil {
		return api.Answer{}, v.Err()
	}
	all, err := a.access(r.Context(), &messages.GetRegistryAccess{})
	if err != nil {
		return api.Answer{}, err
	}
	views := []roleView{}
	for _, one := range all.Roles {
		if user(one.User) && role(one.Role) {
			views = append(views, roleView{one.Role, one.User})
		}
	}
	return api.Answer{Data: api.Cut(views, page)}, nil
}

func (a *Auth) searchRoles(r *api.Request) (api.Answer, error) {
	part := r.Values().Text("role")
	all, err := a.access(r.Context(), &messages.GetRegistryAccess{})
	names := []string{}
	for _, one := range all.GetRoles() {
		if strings.Contains(one.Role, part) && !slices.Contains(names, one.Role) {
			names = append(names, one.Role)
		}
	}
	return api.Answer{Data: names}, err
}

func (a *Auth) addRole(r *api.Request) (api.Answer, error) {
	v := r.Values()
	role, name := v.Need("role"), v.Need(paramUsername)
	if v.Err() != nil {
		return api.Answer{}, v.Err()
	}
	if _, err := a.find(r.Context(), name); err != nil {
		return api.Answer{}, err
	}
	err := a.change(r.Context(), access.Ref, &messages.AssignRegistryRole{Role: role, User: name})
	return api.Answer{Data: "add role ok!"}, err
}

// deleteRole takes a role from one user, or from all with what it may do.
func (a *Auth) deleteRole(r *api.Request) (api.Answer, error) {
	v := r.Values()
	role, name := v.Need("role"), v.Text(paramUsername)
	if v.Err() != nil {
		return api.Answer{}, v.Err()
	}
	done := "delete role of user " + name + " ok!"
	if name == "" {
		done = "delete role ok!"
	}
	err := a.change(r.Context(), access.Ref, &messages.WithdrawRegistryRole{Role: role, User: name})
	return api.Answer{Data: done}, err
}

type permissionView struct {
	Role     string `json:"role"`
	Resource string `json:"resource"`
	Action   string `json:"action"`
}

func (a *Auth) listPermissions(r *api.Request) (api.Answer, error) {
	v := r.Values()
	page, role := v.Page(0), wanted(v, v.Text("role"))
	if v.Err() != nil {
		return api.Answer{}, v.Err()
	}
	all, err := a.access(r.Context(), &messages.GetRegistryAccess{})
	if err != nil {
		return api.Answer{}, err
	}
	views := []permissionView{}
	for _, p := range all.Permissions {
		if role(p.Role) {
			views = append(views, permissionView{p.Role, p.Resource, p.Action})
		}
	}
	return api.Answer{Data: api.Cut(views, page)}, nil
}

// permissionOf reads what a request says of one permission.
func permissionOf(r *api.Request) (*messages.RegistryPermission, error) {
	v := r.Values()
	p := &messages.RegistryPermission{Role: v.Need("role"), Resource: v.Need("resource"), Action: v.Need("action")}
	return p, v.Err()
}

func (a *Auth) hasPermission(r *api.Request) (api.Answer, error) {
	p, err := permissionOf(r)
	if err != nil {
		return api.Answer{}, err
	}
	has, err := a.access(r.Context(), &messages.GetRegistryAccess{Role: p.Role})
	return api.Answer{Data: slices.ContainsFunc(has.GetPermissions(), func(one *messages.RegistryPermission) bool {
		return one.Resource == p.Resource && one.Action == p.Action
	})}, err
}

func (a *Auth) addPermission(r *api.Request) (api.Answer, error) {
	p, err := permissionOf(r)
	if err != nil {
		return api.Answer{}, err
	}
	has, err := a.access(r.Context(), &messages.GetRegistryAccess{Role: p.Role})
	if err != nil {
		return api.Answer{}, err
	}
	if len(has.Roles) == 0 {
		return api.Answer{}, api.ParameterInvalid.Errorf("role '%s' not found!", api.Short(p.Role))
	}
	err = a.change(r.Context(), access.Ref, &messages.AddRegistryPermission{Permission: p})
	if errors.Is(err, messages.Conflict) {
		err = nil // as with Nacos, once more is as good as once
	}
	return api.Answer{Data: "add permission ok!"}, err
}

func (a *Auth) deletePermission(r *api.Request) (api.Answer, error) {
	p, err := permissionOf(r)
	if err != nil {
		return api.Answer{}, err
	}
	err = a.change(r.Context(), access.Ref, &messages.RemoveRegistryPermission{Permission: p})
	return api.Answer{Data: "delete permission ok!"}, err
}
