// Package network owns the dialect of the OpenStack network API (Neutron v2.0)
// as far as flat networks need it: networks, subnets and ports, and honest
// read-only answers where clients ask in passing. What an address is and whose,
// the network actor decides. Routers, floating IPs and the rest are not served.
package network

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

// Prefix is where the dialect is mounted; root is below it.
const (
	Prefix = "/network"
	root   = "/v2.0"
)

// Limits of one request.
const (
	maxPage    = 1000   // items of one list
	maxSorted  = 10_000 // items that one list may have to sort
	maxBulk    = 100    // things that one request may create
	maxFilters = 64
)

// Cloud is what the dialect needs of the actor system; *cluster.Client is one.
type Cloud interface {
	cluster.Asker
	List(ctx context.Context, page cluster.Page) (entries []actors.Entry, more bool, err error)
}

// Config is what the dialect depends on.
type Config struct{ Client Cloud }

// API is the dialect.
type API struct{ cloud Cloud }

// New makes the dialect.
func New(cfg Config) *API { return &API{cloud: cfg.Client} }

// Dialect is what the server mounts.
func (a *API) Dialect() api.Dialect {
	return api.Dialect{Name: "network", Prefix: Prefix, Routes: a.routes(), WriteError: writeError}
}

// scope is the project that r is confined to; "" for an operator. A token
// without a project may do nothing here.
func scope(r *api.Request) (string, error) {
	if !r.Principal.Admin() && r.Principal.ProjectID == "" {
		return "", fmt.Errorf("the token is for no project: %w", messages.Denied)
	}
	return r.Principal.Scope(), nil
}

// pathID is the id in the path. What is no UUID is the id of nothing.
func pathID(r *api.Request, what string) (string, error) {
	id := r.PathValue("id")
	if _, err := uuid.Parse(id); err != nil || len(id) != 36 {
		return "", fmt.Errorf("%s %.80s could not be found: %w", what, id, messages.NotFound)
	}
	return id, nil
}

// home is the id of the network that has the subnet or port whose index key is given.
func (a *API) home(ctx context.Context, key, what, id string) (string, error) {
	entries, _, err := a.cloud.List(ctx, cluster.Page{Prefix: key, Limit: 1})
	if err != nil {
		return "", err
	}
	if len(entries) == 0 || entries[0].Key != key {
		return "", fmt.Errorf("%s %s could not be found: %w", what, id, messages.NotFound)
	}
	return string(entries[0].Value), nil
}

// ask sends a network a message and expects a T.
func ask[T proto.Message](a *API, r *api.Request, id string, m proto.Message) (T, error) {
	return cluster.Ask[T](r.Context(), a.cloud, network.Ref(id), m)
}

// owner is the project that something new belongs to.
func owner(r *api.Request, scope, project, tenant string) (string, error) {
	if project == "" {
		project = tenant
	}
	switch {
	case project == "":
		return r.Principal.ProjectID, nil
	case scope != "" && project != scope:
		return "", fmt.Errorf("a resource of project %.80s is not yours to create: %w", project, messages.Denied)
	}
	return project, nil
}
