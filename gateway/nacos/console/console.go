// Package console owns what operators and their tools ask of the Nacos dialect
// beside services and configs: namespaces, the state and the health of the servers,
// who the servers are and who is connected to them, switches, and metrics. It owns
// no page to look at: the cloud's own console is another thing.
//
// Source: Nacos' open API guides of 1.x, 2.x and 3.x, and its controllers.
package console

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/rpc"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// Level is the version of Nacos whose interface this is: tools look at it to know
// what they may ask.
const Level = "3.1.0"

// Cloud is what this package asks: *cluster.Client.
type Cloud interface {
	registry.Cloud
	Answer(question proto.Message, f cluster.Answerer)
	Everywhere(ctx context.Context, question proto.Message) []cluster.NodeAnswer
}

var _ Cloud = (*cluster.Client)(nil)

// Connections are those of clients that stay connected to this node: *rpc.Server.
type Connections interface {
	Connections() []rpc.Connection
	Len() int
	Move(id, address string) error
	MoveAll(keep int, address string) (asked int, err error)
}

var _ Connections = (*rpc.Server)(nil)

// Levels is the least severe level of what is logged.
type Levels interface {
	Level() string
	SetLevel(level string) error
}

// Config is what the routes depend on.
type Config struct {
	Cloud       Cloud
	Name        string // of this node
	Address     string // host:port at which clients reach this node
	Version     string // of the program
	Open        bool   // nobody has to say who he is
	Log         zerolog.Logger
	Levels      Levels
	Ready       func(context.Context) error // nil: always
	Connections Connections                 // nil: none
	LongPolls   func() int64                // nil: none
	Listeners   func() int                  // of services, on this node; nil: none
}

// API answers the routes.
type API struct {
	Config
	began    time.Time
	switches atomic.Pointer[map[string]string] // as set; nil until they are known
	heard    chan struct{}                     // closed once they are
	first    sync.Once
	counted  counts
	stop     context.CancelFunc

	mu    sync.Mutex
	nodes map[string]*messages.RegistryNode // as last heard of, by name
}

// New makes the routes of one node ready. It answers other nodes about this one,
// and follows the switches, until Close.
func New(cfg Config) (*API, error) {
	a := &API{Config: cfg, began: time.Now(), nodes: map[string]*messages.RegistryNode{}, heard: make(chan struct{})}
	ctx, stop := context.WithCancel(context.Background())
	a.stop = stop
	if err := a.follow(ctx); err != nil {
		stop()
		return nil, err
	}
	cfg.Cloud.Answer(&messages.GetRegistryNode{}, a.sayNode)
	cfg.Cloud.Answer(&messages.ReloadRegistryClients{}, a.reloadHere)
	return a, nil
}

// Close ends what New began.
func (a *API) Close() { a.stop() }

// readyTimeout is how long the answer about readiness may take.
const readyTimeout = 2 * time.Second

func (a *API) ready(ctx context.Context) bool {
	if a.Ready == nil {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return a.Ready(ctx) == nil
}

func (a *API) longPolls() int64 {
	if a.LongPolls == nil {
		return 0
	}
	return a.LongPolls()
}

func (a *API) listeners() int {
	if a.Listeners == nil {
		return 0
	}
	return a.Listeners()
}

func (a *API) connections() int {
	if a.Connections == nil {
		return 0
	}
	return a.Connections.Len()
}

// say makes a handler that answers the same all the time.
func say(data any) api.Handler {
	return func(*api.Request) (api.Answer, error) { return api.Answer{Data: data}, nil }
}
