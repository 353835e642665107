// Package apitest owns who asks in the tests of dialects: people who are known by
// their tokens, without an identity service.
package apitest

import (
	"context"
	"fmt"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// People are known by their tokens; it is an api.Authenticator.
type People map[string]*api.Principal

// Authenticate is api.Authenticator's.
func (p People) Authenticate(_ context.Context, token string) (*api.Principal, error) {
	if who := p[token]; who != nil {
		return who, nil
	}
	return nil, fmt.Errorf("no such token: %w", messages.Denied)
}

// Everybody are an administrator, members of two projects, one who may only read in the
// first one's project, and one whose token is for no project.
var Everybody = People{
	"admin":    {UserID: "ua", ProjectID: "pa", Roles: []string{"admin"}},
	"alice":    {UserID: "u1", ProjectID: "p1", Roles: []string{"member"}},
	"bob":      {UserID: "u2", ProjectID: "p2", Roles: []string{"member"}},
	"reader":   {UserID: "u3", ProjectID: "p1", Roles: []string{"reader"}},
	"unscoped": {UserID: "u4"},
}
