package nacos

import (
	"context"
	"net/http"
	"net/url"
)

// Role is a role that a user has.
type Role struct {
	Role     string `json:"role"`
	Username string `json:"username"`
}

// Permission is what a role may do.
type Permission struct {
	Role     string `json:"role"`
	Resource string `json:"resource"`
	Action   string `json:"action"` // r, w or rw
}

// authList is a page of users, roles or permissions, which all versions list alike.
func authList[T any](ctx context.Context, c *Client, what string, number, size int) ([]T, int, error) {
	v, err := c.Speaks(ctx)
	if err != nil {
		return nil, 0, err
	}
	p := paged(url.Values{"search": {"accurate"}}, number, size)
	var answer page[T]
	if v == V3 {
		err = c.wrapped(ctx, call{method: http.MethodGet, path: "/v3/auth/" + what + "/list", params: p}, &answer)
	} else {
		err = c.bare(ctx, call{method: http.MethodGet, path: "/v1/auth/" + what + "s", params: p}, &answer)
	}
	return answer.PageItems, answer.TotalCount, err
}

// Users is a page of the names of users, and how many there are in all.
func (c *Client) Users(ctx context.Context, number, size int) ([]string, int, error) {
	all, total, err := authList[struct{ Username string }](ctx, c, "user", number, size)
	names := make([]string, len(all))
	for i, u := range all {
		names[i] = u.Username
	}
	return names, total, err
}

// Roles is a page of who has which role.
func (c *Client) Roles(ctx context.Context, number, size int) ([]Role, int, error) {
	return authList[Role](ctx, c, "role", number, size)
}

// Permissions is a page of what roles may do.
func (c *Client) Permissions(ctx context.Context, number, size int) ([]Permission, int, error) {
	return authList[Permission](ctx, c, "permission", number, size)
}

// AddRole gives a user a role.
func (c *Client) AddRole(ctx context.Context, r Role) error {
	return c.authAdd(ctx, "role", url.Values{"role": {r.Role}, "username": {r.Username}})
}

// AddPermission permits a role something.
func (c *Client) AddPermission(ctx context.Context, p Permission) error {
	return c.authAdd(ctx, "permission", url.Values{"role": {p.Role}, "resource": {p.Resource}, "action": {p.Action}})
}

func (c *Client) authAdd(ctx context.Context, what string, p url.Values) error {
	v, err := c.Speaks(ctx)
	if err != nil {
		return err
	}
	path := "/v1/auth/" + what + "s"
	if v == V3 {
		path = "/v3/auth/" + what
	}
	return c.wrapped(ctx, call{method: http.MethodPost, path: path, params: p}, nil)
}
