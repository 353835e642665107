package configs_test

import (
	"testing"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/actors/namespace"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/configs"
	"github.com/troupe-cloud/troupe/gateway/nacos/nacostest"
	"github.com/troupe-cloud/troupe/gateway/registry"
)

// world is a cloud with the routes of this package.
type world struct {
	*nacostest.Cloud
	configs *configs.API
	feeds   *registry.Feeds
}

func newWorld(t testing.TB, auth func(*cluster.Client) api.Authenticator) *world {
	t.Helper()
	w := &world{Cloud: nacostest.Start(t, nacostest.Config{
		Kinds: []actors.Kind{config.Spec(), namespace.Spec()}, Auth: auth,
		Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.ErrorLevel),
	})}
	w.feeds = registry.NewFeeds(w.Client)
	t.Cleanup(w.feeds.Close)
	w.configs = configs.New(configs.Config{Cloud: w.Client, Feeds: w.feeds, Log: zerolog.Nop()})
	t.Cleanup(w.configs.Close)
	w.Mount(w.configs.Routes())
	return w
}
