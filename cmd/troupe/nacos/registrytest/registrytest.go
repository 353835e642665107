// Package registrytest owns a registry for tests of what asks one over HTTP: a node
// in this process with the routes of our own gateway, behind a login.
package registrytest

import (
	"context"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/access"
	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/actors/directory"
	"github.com/troupe-cloud/troupe/actors/namespace"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/actors/switches"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/auth"
	"github.com/troupe-cloud/troupe/gateway/nacos/configs"
	"github.com/troupe-cloud/troupe/gateway/nacos/console"
	"github.com/troupe-cloud/troupe/gateway/nacos/nacostest"
	"github.com/troupe-cloud/troupe/gateway/nacos/naming"
	"github.com/troupe-cloud/troupe/gateway/openstack/identity"
	"github.com/troupe-cloud/troupe/gateway/registry"
)

// Registry is one that runs until the test ends.
type Registry struct {
	*nacostest.Cloud
	Dir      string // holds the administrator's credentials.json
	Username string
	Password string
}

// hashCost makes logins quick.
const hashCost = 4

// Start starts a registry that knows its administrator.
func Start(t testing.TB) *Registry {
	t.Helper()
	r := &Registry{Dir: t.TempDir()}
	var login *auth.Auth
	r.Cloud = nacostest.Start(t, nacostest.Config{
		Kinds: []actors.Kind{access.Spec(), config.Spec(), directory.Kind(), namespace.Spec(), service.Spec(), switches.Spec()},
		Auth: func(c *cluster.Client) api.Authenticator {
			login = authenticator(t, c, r.Dir)
			return login
		},
		Log: zerolog.Nop(),
	})
	feeds := registry.NewFeeds(r.Client)
	t.Cleanup(feeds.Close)
	keys := configs.New(configs.Config{Cloud: r.Client, Feeds: feeds, Log: zerolog.Nop()})
	t.Cleanup(keys.Close)
	services := naming.New(naming.Config{Cloud: r.Client, Beats: registry.NewBeats(r.Client), Feeds: feeds, Renders: registry.NewRenders()})
	rest, err := console.New(console.Config{Cloud: r.Client, Name: "test", Address: "127.0.0.1:8848", Version: "test", Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rest.Close)
	r.Mount(login.Routes(), keys.Routes(), services.Routes(), rest.Routes())
	admin, err := identity.Bootstrap(context.Background(), identity.Setup{Client: r.Client, Dir: r.Dir, BaseURL: r.URL, ComputeVersion: "2.93", HashCost: hashCost})
	if err != nil {
		t.Fatal(err)
	}
	r.Username, r.Password = admin.UserName, admin.Password
	return r
}

func authenticator(t testing.TB, c *cluster.Client, dir string) *auth.Auth {
	keys, err := identity.OpenKeys(dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	who, err := identity.New(identity.Config{Client: c, Keys: keys, Log: zerolog.Nop(), HashCost: hashCost})
	if err != nil {
		t.Fatal(err)
	}
	a, err := auth.New(auth.Config{Client: c, Identity: who, Keys: keys, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	return a
}
