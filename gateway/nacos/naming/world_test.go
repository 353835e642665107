package naming_test

import (
	"testing"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/nacos/nacostest"
	"github.com/troupe-cloud/troupe/gateway/nacos/naming"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// world is a node with the naming routes.
type world struct {
	*nacostest.Cloud
	feeds  *registry.Feeds
	pushed *polls
}

// polls notes who may be told by datagrams.
type polls struct{ all chan naming.Listening }

func (p *polls) Listen(n naming.Listening) { p.all <- n }

// here is a client of two services, as a connection would be.
type here struct{}

var connection = &messages.RegistryClient{
	Id: "1700_10.0.0.9_4711", Ip: "10.0.0.9", Port: 4711, Agent: "Nacos-Go-Client:v2.3.5", Version: "Nacos-Go-Client:v2.3.5",
	App: "shop", ConnectType: "GRPC", LastActive: 1700000000000,
	Publishes:  []*messages.RegistryLink{{Namespace: "public", Group: "DEFAULT_GROUP", Name: "cart", Ip: "10.0.0.9", Port: 80, Cluster: "DEFAULT"}},
	Subscribes: []*messages.RegistryLink{{Namespace: "public", Group: "DEFAULT_GROUP", Name: "stock"}},
}

func (here) Each(visit func(*messages.RegistryClient) bool) { visit(connection) }

func (here) Client(id string) *messages.RegistryClient {
	if id != connection.Id {
		return nil
	}
	return connection
}

func newWorld(t testing.TB) *world { return newWorldWith(t, nil) }

func newWorldWith(t testing.TB, switches func() naming.Switches) *world {
	w := &world{
		Cloud:  nacostest.Start(t, nacostest.Config{Kinds: []actors.Kind{service.Spec()}}),
		pushed: &polls{make(chan naming.Listening, 100)},
	}
	w.feeds = registry.NewFeeds(w.Client)
	t.Cleanup(w.feeds.Close)
	w.Mount(naming.New(naming.Config{
		Cloud: w.Client, Beats: registry.NewBeats(w.Client), Feeds: w.feeds, Renders: registry.NewRenders(),
		Clients: []naming.Clients{here{}}, Push: w.pushed, Switches: switches,
	}).Routes())
	return w
}
