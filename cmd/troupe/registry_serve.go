package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/door"
	"github.com/troupe-cloud/troupe/gateway/eureka"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/auth"
	"github.com/troupe-cloud/troupe/gateway/nacos/configs"
	"github.com/troupe-cloud/troupe/gateway/nacos/console"
	"github.com/troupe-cloud/troupe/gateway/nacos/naming"
	"github.com/troupe-cloud/troupe/gateway/nacos/rpc"
	"github.com/troupe-cloud/troupe/gateway/nacos/udp"
	osapi "github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/gateway/registry"
)

// moveTime is how long clients that are told to go to another node may take.
const moveTime = 2 * time.Second

// served is what the registry of this process is made of.
type served struct {
	cloud    *cloud
	users    *auth.Auth
	asks     api.Authenticator // users, unless the registry is open
	allow    func(client string) bool
	pressure func() float64

	feeds  *registry.Feeds
	names  *registry.Names
	owners *registry.Owners
	beats  *registry.Beats

	grpc      *rpc.Server
	pushes    *udp.Pusher
	operators *console.API
	keys      *configs.API
	apps      *eureka.API
	called    *proxyPaths
}

// serveRegistry puts the registry together and begins to answer.
func (c *cloud) serveRegistry(context.Context) error {
	r := c.registry
	if r == nil {
		return nil
	}
	s, err := c.newServed()
	if err != nil {
		return err
	}
	nacos, err := s.nacos()
	if err != nil {
		return err
	}
	s.apps, err = eureka.New(eureka.Config{
		Cloud: c.client, Feeds: s.feeds, Names: s.names, Beats: s.beats, Auth: s.asks, Log: c.log, Allow: s.allow, Pressure: s.pressure,
		Namespace: c.config.Eureka.Namespace, Group: c.config.Eureka.Group, SelfPreservation: c.config.Eureka.SelfPreservation,
	})
	if err != nil {
		return err
	}
	s.called, err = c.serveServices(&door.Door{
		Auth: s.asks, Signed: s.users.Signed, Open: r.open, Admit: s.allow, Busy: func() bool { return s.pressure() >= 1 },
	}, s.feeds)
	if err != nil {
		return err
	}
	handler := s.called.before(withEureka(s.apps, nacos))
	r.front.behind.Store(&handler)
	c.serveGRPC(s.grpc, r.main.GRPC())
	c.serveGRPC(s.grpc, r.grpc)
	c.onStop("registry", s.stop)
	return nil
}

// newServed has what every dialect needs: who asks, and the registry itself.
func (c *cloud) newServed() (*served, error) {
	users, err := auth.New(auth.Config{Client: c.client, Identity: c.identity, Keys: c.tokens, Log: c.log})
	if err != nil {
		return nil, err
	}
	s := &served{
		cloud: c, users: users, asks: users, allow: osapi.NewPace(c.config.RatePerClient).Allow,
		pressure: func() float64 { return float64(c.client.Pressure()) / maxWaiting },
		feeds:    registry.NewFeeds(c.client), names: registry.NewNames(c.client),
		owners: registry.NewOwners(c.client, c.nodeName(), c.log), beats: registry.NewBeats(c.client),
	}
	if c.registry.open {
		s.asks = auth.Anybody{Auth: users}
	}
	return s, nil
}

// nodeName is what this node is called.
func (c *cloud) nodeName() string {
	if c.member != nil {
		return c.member.config.Name
	}
	return nodeName
}

// nacos makes all that speaks Nacos, and returns what answers its HTTP API.
func (s *served) nacos() (*api.Server, error) {
	c, r := s.cloud, s.cloud.registry
	server := api.NewServer(api.ServerConfig{Auth: s.asks, Log: c.log, Allow: s.allow, Pressure: s.pressure})
	socket, err := udp.Listen(r.host())
	if err != nil {
		return nil, err
	}
	s.pushes = udp.New(s.feeds, socket, c.log)
	s.grpc = rpc.New(rpc.Config{Cloud: c.client, Feeds: s.feeds, Owners: s.owners, Names: s.names, Auth: s.asks, Log: c.log, Pressure: s.pressure})
	s.operators, err = console.New(console.Config{
		Cloud: c.client, Name: c.nodeName(), Address: r.address, Version: versionText(), Open: r.open, Log: c.log, Levels: levels{},
		Ready: c.ready, Connections: s.grpc, LongPolls: server.Hanging, Listeners: serviceListeners(s.feeds),
	})
	if err != nil {
		return nil, err
	}
	s.keys = configs.New(configs.Config{Cloud: c.client, Feeds: s.feeds, Names: s.names, Log: c.log, Metrics: clientMetrics(s.grpc)})
	services := naming.New(naming.Config{
		Cloud: c.client, Beats: s.beats, Feeds: s.feeds, Renders: registry.NewRenders(), Names: s.names,
		Clients: []naming.Clients{s.grpc, s.pushes}, Push: s.pushes,
		Switches: func() naming.Switches {
			now := s.operators.Switches()
			return naming.Switches{LightBeat: now.LightBeat, Push: now.Push, Ephemeral: now.Ephemeral}
		},
	})
	server.Mount(s.users.Routes(), s.operators.Routes(), s.keys.Routes(), services.Routes())
	return server, nil
}

// stop ends it, in the order in which its parts stand on each other.
func (s *served) stop(ctx context.Context) error {
	r := s.cloud.registry
	s.keys.Close() // long polls are answered; else they would be waited for
	s.called.push.Close()
	if s.cloud.member != nil {
		if n, err := s.grpc.MoveAll(0, ""); err == nil && n > 0 {
			emptied(s.grpc.Len, moveTime)
		}
	}
	err := r.shutdown(ctx)
	if r.proxy != nil {
		err = errors.Join(err, shutdown(r.proxy)(ctx))
	}
	s.called.proxy.Close()
	s.grpc.Close()
	s.operators.Close()
	err = errors.Join(err, s.pushes.Close())
	s.owners.Close()
	s.apps.Close()
	s.names.Close()
	s.feeds.Close()
	return err
}

// host is where the registry listens.
func (r *registryListen) host() string {
	return r.grpc.Addr().(*net.TCPAddr).IP.String()
}

// serveGRPC serves on l. A listener that breaks ends the cloud.
func (c *cloud) serveGRPC(s *rpc.Server, l net.Listener) {
	go func() {
		if err := s.Serve(l); err != nil && !errors.Is(err, net.ErrClosed) {
			select {
			case c.failed <- fmt.Errorf("gRPC of the registry: %w", err):
			default:
			}
		}
	}()
}

// serviceListeners counts who listens to services on this node.
func serviceListeners(feeds *registry.Feeds) func() int {
	return func() (n int) {
		feeds.Each(service.Kind, func(actors.Ref, registry.Client) bool { n++; return true })
		return n
	}
}

// clientMetrics asks the clients of this node at one address what they hold: of the
// keys, where some are named, the content in use and that on disk.
func clientMetrics(s *rpc.Server) func(context.Context, string, []api.Key) (map[string]any, error) {
	return func(ctx context.Context, ip string, keys []api.Key) (map[string]any, error) {
		var asked []rpc.MetricKey
		for _, k := range keys {
			key := k.Name + "+" + k.Group
			if k.Namespace != api.PublicNamespace {
				key += "+" + k.Namespace
			}
			asked = append(asked, rpc.MetricKey{Type: "cacheData", Key: key}, rpc.MetricKey{Type: "snapshotData", Key: key})
		}
		held := map[string]any{}
		for _, c := range s.Connections() {
			if c.RemoteIP != ip && c.ClientIP != ip {
				continue
			}
			raw, err := s.Metrics(ctx, c.ID, asked)
			if err == nil {
				err = json.Unmarshal(raw, &held)
			}
			if err != nil && ctx.Err() != nil {
				return held, err
			}
		}
		return held, nil // who does not answer holds nothing that could be shown
	}
}
