// Package nacostest owns what tests of the Nacos dialect share: a node with its
// store in memory behind the dialect's frame, and golden exchanges, which are files
// of requests with the answers that are expected. It knows no route; what is asked
// and answered stands in the files of the package that is tested.
package nacostest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/directory"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/h1"
)

// Config says what a Cloud is made of. The zero value takes everybody for an
// administrator.
type Config struct {
	Kinds []actors.Kind                           // none: only the directory
	Auth  func(*cluster.Client) api.Authenticator // nil: Anybody
	Log   zerolog.Logger
}

// Cloud is one node and a server of the dialect, both ended with the test.
type Cloud struct {
	Client *cluster.Client
	Server *api.Server
	URL    string // scheme://host:port
	fast   string // the same behind the fast lane
}

// Start starts a cloud without routes.
func Start(t testing.TB, cfg Config) *Cloud {
	t.Helper()
	if len(cfg.Kinds) == 0 {
		cfg.Kinds = []actors.Kind{directory.Kind()}
	}
	node, err := cluster.Start(context.Background(), cluster.Config{Name: "test", Store: mem.New(), Kinds: cfg.Kinds, Log: cfg.Log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	auth := api.Authenticator(Anybody{})
	if cfg.Auth != nil {
		auth = cfg.Auth(node.Client())
	}
	c := &Cloud{Client: node.Client(), Server: api.NewServer(api.ServerConfig{Auth: auth, Log: cfg.Log})}
	web := httptest.NewServer(c.Server)
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		web.Close()
	})
	c.URL = web.URL
	quick := httptest.NewUnstartedServer(c.Server)
	lane := h1.Front(quick.Listener, h1.Config{
		Handler: c.Server, Paths: api.SimplePaths, Params: api.SimpleParams, IdleTime: time.Hour, HeadTime: time.Hour, WriteTime: time.Hour, Log: cfg.Log,
	})
	quick.Listener = lane
	quick.Start()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := lane.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		quick.Close()
	})
	c.fast = quick.URL
	return c
}

// Mount adds routes; before the first request.
func (c *Cloud) Mount(routes ...[]api.Route) { c.Server.Mount(routes...) }

// Anybody takes everybody for the administrator "nacos".
type Anybody struct{}

// Identify is api.Authenticator's.
func (Anybody) Identify(context.Context, api.Credentials) (*api.User, error) {
	return api.NewUser("nacos", true, nil), nil
}
