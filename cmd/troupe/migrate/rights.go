package migrate

import (
	"context"
	"errors"
	"net/http"

	"github.com/troupe-cloud/troupe/cmd/troupe/nacos"
)

// adminRole is not copied: who administers the target is its operator's to say.
const adminRole = "ROLE_ADMIN"

// rights copies roles with what they may do, and gives them to the users that there
// are at the target. A server shows no passwords, so users cannot be copied: who is
// missing is told.
func (r *run) rights(ctx context.Context) error {
	if r.NoRights {
		return nil
	}
	users, err := everything(ctx, r.From.Users)
	if hidden(err) {
		r.Tell("users and permissions are left out: the source does not show them to this user")
		return nil
	}
	if err != nil {
		return err
	}
	there, err := everything(ctx, r.To.Users)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, name := range there {
		known[name] = true
	}
	for _, name := range users {
		if !known[name] {
			r.count(func(x *Report) { x.Users = append(x.Users, name) })
		}
	}
	if err := r.roles(ctx, known); err != nil {
		return err
	}
	return r.permissions(ctx)
}

// hidden says whether a server has no users to show, or not to who asks.
func hidden(err error) bool {
	var e *nacos.Error
	return errors.As(err, &e) && (e.Status == http.StatusForbidden || e.Status == http.StatusUnauthorized || e.Status == http.StatusNotFound || e.Status == http.StatusNotImplemented)
}

// permissions copies those of roles that somebody has at the target: no others are
// roles.
func (r *run) permissions(ctx context.Context) error {
	roles, err := everything(ctx, r.To.Roles)
	if err != nil {
		return err
	}
	given := map[string]bool{}
	for _, role := range roles {
		given[role.Role] = true
	}
	all, err := everything(ctx, r.From.Permissions)
	if err != nil {
		return err
	}
	var is []nacos.Permission
	for _, p := range all {
		if given[p.Role] {
			is = append(is, p)
		}
	}
	was, err := everything(ctx, r.To.Permissions)
	return errors.Join(err, add(r, is, was, func(p nacos.Permission) (string, error) {
		return "permission of role " + p.Role, r.To.AddPermission(ctx, p)
	}, func(x *Report) { x.Permissions++ }))
}

func (r *run) roles(ctx context.Context, known map[string]bool) error {
	all, err := everything(ctx, r.From.Roles)
	if err != nil {
		return err
	}
	var is []nacos.Role
	for _, role := range all {
		if role.Role != adminRole && known[role.Username] {
			is = append(is, role)
		}
	}
	was, err := everything(ctx, r.To.Roles)
	return errors.Join(err, add(r, is, was, func(role nacos.Role) (string, error) {
		return "role " + role.Role + " of user " + role.Username, r.To.AddRole(ctx, role)
	}, func(x *Report) { x.Roles++ }))
}

// add adds what is but was not.
func add[T comparable](r *run, is, was []T, one func(T) (string, error), count func(*Report)) error {
	there := map[T]bool{}
	for _, item := range was {
		there[item] = true
	}
	for _, item := range is {
		if there[item] {
			continue
		}
		if what, err := one(item); err != nil {
			r.failed(what, err)
			continue
		}
		r.count(count)
	}
	return nil
}

// everything is all pages of a list.
func everything[T any](ctx context.Context, list func(ctx context.Context, number, size int) ([]T, int, error)) (all []T, err error) {
	err = pages(ctx, 1, func(page int) ([]T, int, error) { return list(ctx, page, pageSize) }, func(item T) { all = append(all, item) })
	return all, err
}
