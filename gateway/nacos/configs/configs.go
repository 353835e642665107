// Package configs owns the HTTP routes of Nacos' configuration, of all its
// versions: publishing and reading, gray versions, searches, archives, history,
// and the long polls by which old clients listen. It decides nothing about a key,
// which is an actor, and does not know who may do what: package api asks that.
//
// Source: Nacos' open API guides of 1.x, 2.x and 3.x, and its controllers of 2.5
// and 3.1.
package configs

import (
	"context"
	"sync"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// Cloud is what this package asks: *cluster.Client.
type Cloud interface {
	registry.Cloud
	Answer(question proto.Message, f cluster.Answerer)
	Everywhere(ctx context.Context, question proto.Message) []cluster.NodeAnswer
}

// Config is what the routes depend on.
type Config struct {
	Cloud Cloud
	Feeds *registry.Feeds
	Names *registry.Names // told of keys that come, change and go; nil: nobody is
	Log   zerolog.Logger

	// Metrics asks the clients at an address that are connected over gRPC what they
	// hold; keys are what is asked about, and may be none. Nil: nobody is connected.
	Metrics func(ctx context.Context, ip string, keys []api.Key) (map[string]any, error)
}

// API serves the routes.
type API struct {
	cloud   Cloud
	feeds   *registry.Feeds
	names   *registry.Names
	log     zerolog.Logger
	metrics func(ctx context.Context, ip string, keys []api.Key) (map[string]any, error)

	imports  chan struct{} // places for archives that are in memory
	refusals chan struct{} // places for polls that are refused and held a while

	mu      sync.Mutex
	closing chan struct{} // closed when long polls are to end
	closed  bool
}

// New makes the routes of one node ready, which then answers other nodes too who
// listens here.
func New(c Config) *API {
	a := &API{
		cloud: c.Cloud, feeds: c.Feeds, names: c.Names, log: c.Log, metrics: c.Metrics,
		imports: make(chan struct{}, maxImports), refusals: make(chan struct{}, refusalsAtOnce), closing: make(chan struct{}),
	}
	c.Cloud.Answer(&messages.GetConfigListeners{}, a.sayListeners)
	return a
}

// Close answers the polls that wait, as if nothing had changed, so that a server
// may stop; those that come later are answered at once.
func (a *API) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		a.closed = true
		close(a.closing)
	}
}

// ref is the grain of a key.
func ref(k api.Key) actors.Ref { return config.Ref(k.Namespace, k.Group, k.Name) }

// resource is what a permission for a key is about.
func resource(k api.Key) api.Resource {
	return api.Resource{Namespace: k.Namespace, Group: k.Group, Type: api.Config, Name: k.Name}
}
