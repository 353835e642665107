// Package compute owns the dialect of the OpenStack compute API: its routes,
// bodies, microversions and errors. It decodes a request, asks the actors and
// renders what they say; it knows no rule of the cloud and keeps no state but a
// short memory of which hosts are up.
package compute

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/gateway/order"
)

// Prefix is where the dialect is mounted; root is below it.
const (
	Prefix = "/compute"
	root   = "/v2.1"
)

// MaxBody limits request bodies, in bytes: user data may have 64 KiB, and
// nothing else is large.
const MaxBody = 512 << 10

// Cloud is what the dialect needs of the actor system; *cluster.Client is one.
type Cloud interface {
	cluster.Asker
	List(ctx context.Context, page cluster.Page) (entries []actors.Entry, more bool, err error)
}

// Config is what the dialect depends on.
type Config struct {
	Client Cloud

	// MaxPage is the most that one list answers; 0: DefaultMaxPage.
	MaxPage int
	// MaxServers is the most that one request may create; 0: DefaultMaxServers.
	MaxServers int
}

// Defaults of Config.
const (
	DefaultMaxPage    = 1000
	DefaultMaxServers = 100
)

// API is the dialect.
type API struct {
	cfg   Config
	cloud Cloud
	hosts hostMemory
}

// New makes the dialect.
func New(cfg Config) *API {
	if cfg.MaxPage <= 0 {
		cfg.MaxPage = DefaultMaxPage
	}
	if cfg.MaxServers <= 0 {
		cfg.MaxServers = DefaultMaxServers
	}
	return &API{cfg: cfg, cloud: cfg.Client}
}

// Dialect is what the server mounts.
func (a *API) Dialect() api.Dialect {
	return api.Dialect{
		Name:       "compute",
		Prefix:     Prefix,
		Routes:     a.routes(),
		WriteError: writeError,
		Negotiate:  negotiate,
		MaxBody:    MaxBody,
	}
}

// each calls visit with every index entry below prefix, in order, until visit
// says it has enough.
func (a *API) each(ctx context.Context, prefix string, visit func(actors.Entry) (more bool, err error)) error {
	return order.Each(ctx, a.cloud, prefix, visit)
}

// read makes m of an index entry's value.
func read[T proto.Message](e actors.Entry, m T) (T, error) { return order.Read(e, m) }
