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

// serveRegistry puts the registry together and begins to answer.
func (c *cloud) serveRegistry(context.Context) error {
	r := c.registry
	if r == nil {
		return nil
	}
	name := nodeName
	if c.member != nil {
		name = c.member.config.Name
	}
	users, err := auth.New(auth.Config{Client: c.client, Identity: c.identity, Keys: c.tokens, Log: c.log})
	if err != nil {
		return err
	}
	asks := api.Authenticator(users)
	if r.open {
		asks = auth.Anybody{Auth: users}
	}
	pressure := func() float64 { return float64(c.client.Pressure()) / maxWaiting }
	allow := osapi.NewPace(c.config.RatePerClient).Allow
	server := api.NewServer(api.ServerConfig{Auth: asks, Log: c.log, Allow: allow, Pressure: pressure})

	feeds, names := registry.NewFeeds(c.client), registry.NewNames(c.client)
	owners, beats := registry.NewOwners(c.client, name, c.log), registry.NewBeats(c.client)
	socket, err := udp.Listen(r.host())
	if err != nil {
		return err
	}
	pushes := udp.New(feeds, socket, c.log)
	grpc := rpc.New(rpc.Config{Cloud: c.client, Feeds: feeds, Owners: owners, Names: names, Auth: asks, Log: c.log, Pressure: pressure})
	operators, err := console.New(console.Config{
		Cloud: c.client, Name: name, Address: r.address, Version: versionText(), Open: r.open, Log: c.log, Levels: levels{},
		Ready: c.ready, Connections: grpc, LongPolls: server.Hanging, Listeners: serviceListeners(feeds),
	})
	if err != nil {
		return err
	}
	keys := configs.New(configs.Config{Cloud: c.client, Feeds: feeds, Names: names, Log: c.log, Metrics: clientMetrics(grpc)})
	services := naming.New(naming.Config{
		Cloud: c.client, Beats: beats, Feeds: feeds, Renders: registry.NewRenders(), Names: names, Clients: []naming.Clients{grpc, pushes}, Push: pushes,
		Switches: func() naming.Switches {
			s := operators.Switches()
			return naming.Switches{LightBeat: s.LightBeat, Push: s.Push, Ephemeral: s.Ephemeral}
		},
	})
	server.Mount(users.Routes(), operators.Routes(), keys.Routes(), services.Routes())
	apps, err := eureka.New(eureka.Config{
		Cloud: c.client, Feeds: feeds, Names: names, Beats: beats, Auth: asks, Log: c.log, Allow: allow, Pressure: pressure,
		Namespace: c.config.Eureka.Namespace, Group: c.config.Eureka.Group, SelfPreservation: c.config.Eureka.SelfPreservation,
	})
	if err != nil {
		return err
	}
	called, err := c.serveServices(&door.Door{
		Auth: asks, Signed: users.Signed, Open: r.open, Admit: allow, Busy: func() bool { return pressure() >= 1 },
	}, feeds)
	if err != nil {
		return err
	}
	handler := called.before(withEureka(apps, server))
	r.front.behind.Store(&handler)
	c.serveGRPC(grpc, r.main.GRPC())
	c.serveGRPC(grpc, r.grpc)

	c.onStop("registry", func(ctx context.Context) error {
		keys.Close() // long polls are answered; else they would be waited for
		called.push.Close()
		if c.member != nil {
			if n, err := grpc.MoveAll(0, ""); err == nil && n > 0 {
				emptied(grpc.Len, moveTime)
			}
		}
		err := r.shutdown(ctx)
		if r.proxy != nil {
			err = errors.Join(err, shutdown(r.proxy)(ctx))
		}
		called.proxy.Close()
		grpc.Close()
		operators.Close()
		err = errors.Join(err, pushes.Close())
		owners.Close()
		apps.Close()
		names.Close()
		feeds.Close()
		return err
	})
	return nil
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
