package proxy

import (
	"context"
	"net"
	"strconv"
	"time"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/balancer"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// againAfter is when a feed is asked for that could not be had.
const againAfter = time.Second

// ear keeps the newest state of a service for whoever follows it.
type ear struct{ newest chan *registry.State }

// Hear is registry.Listener's.
func (e *ear) Hear(_ *registry.Subscription, s *registry.State) {
	for {
		select {
		case e.newest <- s:
			return
		case <-e.newest: // it was not looked at
		}
	}
}

// Client is registry.Listener's.
func (*ear) Client() registry.Client { return registry.Client{Agent: "troupe-proxy"} }

// follow hands a service's endpoints to its balancer as they change, until ctx ends.
func follow(ctx context.Context, p *Proxy, key api.Key, t *target) {
	for ctx.Err() == nil {
		e := &ear{make(chan *registry.State, 1)}
		sub, err := p.cfg.Feeds.Subscribe(service.Ref(key.Namespace, key.Group, key.Name), e)
		if err != nil {
			p.cfg.Log.Debug().Str("service", t.Name()).Err(err).Msg("no feed")
			select {
			case <-time.After(againAfter):
			case <-ctx.Done():
			}
			continue
		}
		t.hear(ctx, p, sub, e)
		sub.Cancel()
	}
}

// hear takes states until ctx ends, beginning with what the feed knows already.
func (t *target) hear(ctx context.Context, p *Proxy, sub *registry.Subscription, e *ear) {
	var last settings
	var number uint64
	for s := sub.State(); ; {
		if s != nil && s.Number > number {
			number = s.Number
			last = t.take(p, s, last)
		}
		select {
		case s = <-e.newest:
		case <-ctx.Done():
			return
		}
	}
}

// take has calls go by a state, whose settings are returned.
func (t *target) take(p *Proxy, s *registry.State, last settings) settings {
	now, err := settingsOf(s.Service.GetMetadata())
	if now != last {
		t.use(p, now)
		if now.Rule != last.Rule {
			t.SetRule(now.made())
		}
	}
	if err != nil && now.wrong != last.wrong {
		p.cfg.Log.Warn().Str("service", t.Name()).Err(err).Msg("a setting of the balancer does not count")
	}
	t.Update(endpoints(s))
	return now
}

// endpoints are a service's as the balancer knows them.
func endpoints(s *registry.State) []balancer.Endpoint {
	all, _ := service.Select(s.Service.GetEndpoints(), service.Query{ProtectThreshold: s.Service.GetProtectThreshold()})
	list := make([]balancer.Endpoint, len(all))
	for i, e := range all {
		list[i] = endpoint(e)
	}
	return list
}

// endpoint is one; what a server of the cloud has announced is named by its owner
// too, and by that alone it is told from what somebody else says of that address.
func endpoint(e *messages.Endpoint) balancer.Endpoint {
	id := ""
	if _, announced := service.ServerOf(e.GetOwner()); announced {
		id = e.GetOwner() + "@" + net.JoinHostPort(e.GetIp(), strconv.Itoa(int(e.GetPort())))
	}
	return balancer.Described(balancer.Endpoint{
		ID: id, Host: e.GetIp(), Port: int(e.GetPort()), Zone: e.GetCluster(), Weight: e.GetWeight(), Down: !e.GetHealthy() || !e.GetEnabled(),
		Metadata: e.GetMetadata(),
	})
}
