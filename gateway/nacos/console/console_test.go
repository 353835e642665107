package console

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/actors/namespace"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/actors/switches"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/nacostest"
	"github.com/troupe-cloud/troupe/gateway/nacos/rpc"
	"github.com/troupe-cloud/troupe/messages"
)

// connected stands for the connections of gateway/nacos/rpc.
type connected struct {
	ids []string
	to  string
}

func (c *connected) Connections() []rpc.Connection {
	var all []rpc.Connection
	for _, id := range c.ids {
		all = append(all, rpc.Connection{
			ID: id, Version: "Nacos-Go-Client:v2.3.5", App: "shop", RemoteIP: "10.0.0.1", RemotePort: 4711, LocalPort: 9848,
			ClientIP: "10.0.0.1", Created: 1700000000000, LastActive: 1700000000001, Labels: map[string]string{"source": "sdk"},
		})
	}
	return all
}
func (c *connected) Len() int { return len(c.ids) }
func (c *connected) Move(id, to string) error {
	for i, one := range c.ids {
		if one == id {
			c.ids, c.to = append(c.ids[:i:i], c.ids[i+1:]...), to
			return nil
		}
	}
	return fmt.Errorf("there is no connection %q here: %w", id, messages.NotFound)
}
func (c *connected) MoveAll(keep int, to string) (int, error) {
	n := max(0, len(c.ids)-keep)
	c.ids, c.to = c.ids[n:], to
	return n, nil
}

// levels remembers the level that was set.
type levels struct{ level string }

func (l *levels) Level() string { return l.level }
func (l *levels) SetLevel(level string) error {
	if level == "LOUD" {
		return messages.Invalid
	}
	l.level = level
	return nil
}

type world struct {
	*nacostest.Cloud
	api     *API
	clients *connected
	levels  *levels
	broken  atomic.Bool
}

func newWorld(t *testing.T) *world {
	w := &world{clients: &connected{ids: []string{"1700000000000_10.0.0.1_4711", "1700000000001_10.0.0.2_4711"}}, levels: &levels{}}
	w.Cloud = nacostest.Start(t, nacostest.Config{Kinds: []actors.Kind{namespace.Spec(), switches.Spec(), service.Spec(), config.Spec()}})
	var err error
	w.api, err = New(Config{
		Cloud: w.Client, Name: "test", Address: "10.1.2.3:8848", Version: "1.2.3", Log: zerolog.Nop(), Levels: w.levels, Connections: w.clients,
		Ready: func(context.Context) error {
			if w.broken.Load() {
				return errors.New("broken")
			}
			return nil
		},
		LongPolls: func() int64 { return 7 }, Listeners: func() int { return 5 },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.api.Close)
	w.Mount(w.api.Routes())
	return w
}

func TestExchanges(t *testing.T) {
	w := newWorld(t)
	publish := &messages.PublishConfig{Content: "x=1"}
	if _, err := w.Client.Ask(context.Background(), config.Ref("dev", "g", "a"), publish); err != nil {
		t.Fatal(err)
	}
	register := &messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{{Ip: "10.0.0.1", Port: 80, Cluster: "DEFAULT", Persistent: true, Healthy: true, Enabled: true, Weight: 1}}}
	if _, err := w.Client.Ask(context.Background(), service.Ref("public", "DEFAULT_GROUP", "a"), register); err != nil {
		t.Fatal(err)
	}
	w.Run(t, "testdata/*.http", `_seconds \d+`, `go_\w+ [\d.e+]+`)
	if w.levels.level != "DEBUG" || w.clients.Len() != 0 || w.clients.to != "10.9.9.9:8848" {
		t.Errorf("%v, %v", w.levels, w.clients)
	}
}

func TestNotReady(t *testing.T) {
	w := newWorld(t)
	w.broken.Store(true)
	w.Run(t, "testdata/notready/*.http")
}

func TestSwitchesAreKept(t *testing.T) {
	w := newWorld(t)
	if s := w.api.Switches(); s != (Switches{Push: true, LightBeat: true, Ephemeral: true}) {
		t.Errorf("at first %+v", s)
	}
	changes, err := w.Client.Watch(t.Context(), switches.Ref, &messages.GetRegistrySwitches{})
	if err != nil {
		t.Fatal(err)
	}
	<-changes
	if _, err := w.Client.Ask(t.Context(), switches.Ref, &messages.SetRegistrySwitch{Entry: switches.Push, Value: "false"}); err != nil {
		t.Fatal(err)
	}
	<-changes
	again, err := New(Config{Cloud: w.Client, Log: zerolog.Nop()}) // another gateway
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	<-again.heard
	if again.Switches().Push {
		t.Error("another gateway does not know what was set")
	}
}

// several is a cloud of which this node is one of three; one does not answer any more.
type several struct{ *cluster.Client }

func (s several) Everywhere(ctx context.Context, question proto.Message) []cluster.NodeAnswer {
	here := s.Client.Everywhere(ctx, question)
	return append(here,
		cluster.NodeAnswer{Node: "b", Answer: &messages.RegistryNode{Connections: 10, Listeners: 100, Ready: true}},
		cluster.NodeAnswer{Node: "c", Err: messages.Unavailable})
}

func TestCountsOfAllNodes(t *testing.T) {
	w := newWorld(t)
	a, err := New(Config{Cloud: several{w.Client}, Log: zerolog.Nop(), Connections: w.clients, Listeners: func() int { return 5 }})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	a.nodes["c"] = &messages.RegistryNode{Connections: 1000, Listeners: 1000} // it said before
	if connections, listeners := a.everywhere(t.Context()); connections != 12 || listeners != 105 {
		t.Errorf("%d connections, %d listeners", connections, listeners)
	}
}
