// Package naming answers the routes of the service registry in every version of
// the Nacos API over HTTP: instances and their beats, services, clusters, health,
// catalogues, subscribers and clients, and service discovery for Prometheus. It
// decides nothing about a service, which actors/service does, and knows nothing of
// connections, pushes or who may do what.
//
// Source: Nacos' open API guides of 1.x, 2.x and 3.x, and its controllers.
package naming

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// Cloud is what this package asks: *cluster.Client, or a stand-in.
type Cloud interface {
	cluster.Asker
	List(ctx context.Context, p cluster.Page) (entries []actors.Entry, more bool, err error)
	Everywhere(ctx context.Context, question proto.Message) []cluster.NodeAnswer
	Answer(question proto.Message, f cluster.Answerer)
}

var _ Cloud = (*cluster.Client)(nil)

// Clients are who is connected to this node: gateway/nacos/rpc and gateway/nacos/udp
// know them.
type Clients interface {
	// Each calls visit for every client, without what it has to do with, until it
	// returns false.
	Each(visit func(*messages.RegistryClient) bool)
	// Client is one with what it publishes and listens to; nil: it is not here.
	Client(id string) *messages.RegistryClient
}

// Listening is who polls a list and wants to be told of changes before the next
// poll.
type Listening struct {
	Service  api.Key
	Clusters string // as asked for
	Peer     string // address from which the poll came, and nothing that it says
	Port     int    // at which it listens for datagrams
	Agent    string // what it says it is: Nacos-Go-Client:v1.1.6
	App      string
	Revision int64 // of what it was answered
}

// Pusher tells listeners of changes by datagrams: gateway/nacos/udp. It may refuse
// anybody: who polls learns of changes anyhow.
type Pusher interface{ Listen(Listening) }

// Switches are what operators may change while the cloud runs.
type Switches struct {
	LightBeat bool // clients may send beats that only name the instance
	Push      bool // listeners are told by datagrams
	Ephemeral bool // instances that do not say what they are
}

// Config is what an API depends on.
type Config struct {
	Cloud    Cloud
	Beats    *registry.Beats
	Feeds    *registry.Feeds
	Renders  *registry.Renders
	Names    *registry.Names // told of services that come and go; nil: nobody is
	Clients  []Clients       // may be empty
	Push     Pusher          // nil: nobody is told by datagrams
	Switches func() Switches // nil: DefaultSwitches
}

// DefaultSwitches hold where nobody has changed any.
func DefaultSwitches() Switches { return Switches{LightBeat: true, Push: true, Ephemeral: true} }

// API answers the naming routes.
type API struct{ Config }

// New makes the API of one node, which then answers other nodes too who is
// connected here and who listens.
func New(c Config) *API {
	if c.Switches == nil {
		c.Switches = DefaultSwitches
	}
	a := &API{c}
	c.Cloud.Answer(&messages.GetSubscribers{}, a.sayListeners)
	c.Cloud.Answer(&messages.GetRegistryClients{}, a.sayClients)
	return a
}
