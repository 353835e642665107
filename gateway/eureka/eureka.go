// Package eureka answers Eureka's REST API, in XML and JSON, about one group of the
// service registry: an application is the service of its name. It translates, and
// keeps a view of the group from which it answers reads; what is registered, who is
// alive and who is removed is decided by actors/service. It knows no other Eureka:
// what a peer sends is taken, and nothing is sent to peers.
//
// Source: Eureka's REST operations, and what its clients of 1.x put on the wire.
package eureka

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/singleflight"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// Prefix is what the paths of all routes begin with.
const Prefix = "/eureka"

// Config is what an API depends on.
type Config struct {
	Cloud cluster.Asker
	Feeds *registry.Feeds
	Names *registry.Names
	Beats *registry.Beats
	Auth  api.Authenticator
	Log   zerolog.Logger

	// Namespace and Group are those of the services that are shown; empty: the defaults.
	Namespace, Group string
	// SelfPreservation keeps instances that renew no more while more than 15 % of all
	// do not. Off: each is removed when its lease is over.
	SelfPreservation bool
	Environment      string // shown by the status page; empty: "troupe"

	Allow    func(remote string) bool // whether another request from host:port may be answered; nil: always
	Pressure func() float64           // at 1 and above requests are answered 503; nil: never
	Now      func() time.Time         // nil: time.Now
}

// API is the HTTP handler of the dialect.
type API struct {
	cfg      Config
	view     *view
	pages    *pages
	handler  handler
	asks     singleflight.Group
	inFlight atomic.Int64
	bodies   atomic.Int64
	began    time.Time
	cancel   context.CancelFunc
	tasks    sync.WaitGroup
}

// New makes the API of one node, which lives until Close.
func New(c Config) (*API, error) {
	if c.Cloud == nil || c.Feeds == nil || c.Names == nil || c.Beats == nil || c.Auth == nil {
		return nil, fmt.Errorf("eureka needs a cloud, feeds, names, beats and an authenticator: %w", messages.Invalid)
	}
	if err := service.CheckNamespace(c.Namespace); err != nil {
		return nil, err
	}
	if err := service.CheckGroup(c.Group); err != nil {
		return nil, err
	}
	c.Namespace, c.Group = service.Namespace(c.Namespace), service.Group(c.Group)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Environment == "" {
		c.Environment = "troupe"
	}
	a := &API{cfg: c, view: newView(c), pages: newPages(c.Now), began: c.Now()}
	a.handler = a.mux()
	ctx, cancel := context.WithCancel(context.Background())
	a.cancel = cancel
	if c.SelfPreservation {
		a.tasks.Go(func() { a.evictions(ctx) })
	}
	return a, nil
}

// Close ends all watching.
func (a *API) Close() {
	a.cancel()
	a.tasks.Wait()
	a.view.close()
}
