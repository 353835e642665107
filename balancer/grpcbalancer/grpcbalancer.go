// Package grpcbalancer lets gRPC-Go clients dial services by name: a resolver that
// hands over the servers of a balancer.Services, and a gRPC balancer that has the
// service's own rule choose for each call and tells it what became of that.
package grpcbalancer

import (
	"context"
	"fmt"
	"sync"

	grpcbalancing "google.golang.org/grpc/balancer"
	"google.golang.org/grpc/balancer/base"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"
	"google.golang.org/grpc/status"

	"github.com/troupe-cloud/troupe/balancer"
)

// Scheme is of the targets that the resolver takes: troupe:///SERVICE.
const Scheme = "troupe"

// policy is the name of the gRPC balancer.
const policy = "troupe_balanced"

// maxPicks is how often the rule is asked for a server that is connected.
const maxPicks = 8

var register = sync.OnceFunc(func() { grpcbalancing.Register(builder{}) })

// builder makes gRPC balancers that know which service theirs is from what the
// resolver attaches.
type builder struct{}

func (builder) Name() string { return policy }

func (builder) Build(cc grpcbalancing.ClientConn, o grpcbalancing.BuildOptions) grpcbalancing.Balancer {
	return base.NewBalancerBuilder(policy, pickers{}, base.Config{HealthCheck: true}).Build(cc, o)
}

// Options of a resolver.
type Options struct {
	// MethodConfig is what gRPC's service config says of methods: time limits, and
	// which calls may be made again; a list in JSON, or empty. Source: gRPC's
	// doc/service_config.md.
	MethodConfig string
}

// RetryUnavailable is a MethodConfig under which calls that end UNAVAILABLE are made
// again, elsewhere: for services whose calls do no harm twice.
const RetryUnavailable = `[{"name":[{}],"retryPolicy":{"maxAttempts":3,"initialBackoff":"0.01s","maxBackoff":"0.2s",` +
	`"backoffMultiplier":2,"retryableStatusCodes":["UNAVAILABLE"]}}]`

// Resolver makes a resolver for grpc.WithResolvers.
func Resolver(s *balancer.Services, o Options) resolver.Builder {
	register()
	return &resolving{s, o}
}

type resolving struct {
	services *balancer.Services
	options  Options
}

func (*resolving) Scheme() string { return Scheme }

// key is under which an address carries whose it is.
type key struct{}

type owner struct {
	of *balancer.Balancer
	id string
}

// Equal is wanted by attributes.
func (o owner) Equal(other any) bool { return o == other }

// Build implements resolver.Builder.
func (r *resolving) Build(target resolver.Target, cc resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	name := target.Endpoint()
	if name == "" {
		return nil, fmt.Errorf("the target %s names no service", target.String())
	}
	ctx, cancel := context.WithCancel(context.Background())
	config := `{"loadBalancingConfig":[{"` + policy + `":{}}]`
	if r.options.MethodConfig != "" {
		config += `,"methodConfig":` + r.options.MethodConfig
	}
	one := &resolved{cc: cc, cancel: cancel, config: cc.ParseServiceConfig(config + "}")}
	if one.config.Err != nil {
		cancel()
		return nil, one.config.Err
	}
	one.tasks.Go(func() {
		b, err := r.services.Get(ctx, name)
		if err != nil {
			if ctx.Err() == nil {
				cc.ReportError(err)
			}
			return
		}
		one.follow(ctx, b)
	})
	return one, nil
}

type resolved struct {
	cc     resolver.ClientConn
	cancel context.CancelFunc
	config *serviceconfig.ParseResult
	tasks  sync.WaitGroup
}

// follow hands over each list that differs.
func (r *resolved) follow(ctx context.Context, b *balancer.Balancer) {
	news := make(chan struct{}, 1)
	b.Watch(func(*balancer.Set) {
		select {
		case news <- struct{}{}:
		default:
		}
	})
	for {
		r.tell(b)
		select {
		case <-news:
		case <-ctx.Done():
			return
		}
	}
}

// tell hands over all servers on the list: which of them get calls is decided for
// each call, and a connection to one that is left alone may as well stay.
func (r *resolved) tell(b *balancer.Balancer) {
	state := resolver.State{ServiceConfig: r.config}
	for _, s := range b.Set().All {
		a := resolver.Address{Addr: s.Address()}
		a.Attributes = a.Attributes.WithValue(key{}, owner{b, s.Key()})
		state.Addresses = append(state.Addresses, a)
	}
	if err := r.cc.UpdateState(state); err != nil {
		r.cc.ReportError(err)
	}
}

// ResolveNow implements resolver.Resolver: lists are pushed.
func (*resolved) ResolveNow(resolver.ResolveNowOptions) {}

// Close implements resolver.Resolver.
func (r *resolved) Close() {
	r.cancel()
	r.tasks.Wait()
}

type pickers struct{}

// Build implements base.PickerBuilder.
func (pickers) Build(info base.PickerBuildInfo) grpcbalancing.Picker {
	if len(info.ReadySCs) == 0 {
		return base.NewErrPicker(grpcbalancing.ErrNoSubConnAvailable)
	}
	p := &picker{ready: make(map[string]grpcbalancing.SubConn, len(info.ReadySCs))}
	for sc, of := range info.ReadySCs {
		if o, ok := of.Address.Attributes.Value(key{}).(owner); ok {
			p.of, p.ready[o.id] = o.of, sc
		}
	}
	if p.of == nil {
		return base.NewErrPicker(status.Error(codes.Internal, "the addresses are not from the resolver of this package"))
	}
	return p
}

// picker has the service's rule choose among the servers that are connected.
type picker struct {
	of    *balancer.Balancer
	ready map[string]grpcbalancing.SubConn
}

// keyMetadata is not exported by gRPC, so a call's key travels in its context.
type callKey struct{}

// WithKey has calls of one key meet the same server, under rules that hash.
func WithKey(ctx context.Context, key uint64) context.Context {
	return context.WithValue(ctx, callKey{}, key)
}

// Pick implements gRPC's Picker.
func (p *picker) Pick(info grpcbalancing.PickInfo) (grpcbalancing.PickResult, error) {
	r := balancer.Request{}
	r.Key, _ = info.Ctx.Value(callKey{}).(uint64)
	var server *balancer.Server
	var sc grpcbalancing.SubConn
	for range maxPicks {
		s, err := p.of.Choose(&r)
		if err != nil {
			return grpcbalancing.PickResult{}, status.Error(codes.Unavailable, err.Error())
		}
		if sc = p.ready[s.Key()]; sc != nil {
			server = s
			break
		}
		r.Tried = append(r.Tried, s)
	}
	if server == nil {
		for _, s := range p.of.Set().Servers {
			if sc = p.ready[s.Key()]; sc != nil {
				server = s
				break
			}
		}
	}
	if server == nil {
		return grpcbalancing.PickResult{}, grpcbalancing.ErrNoSubConnAvailable
	}
	call := p.of.Begin(server)
	return grpcbalancing.PickResult{SubConn: sc, Done: func(d grpcbalancing.DoneInfo) { call.End(resultOf(info.Ctx, d)) }}, nil
}

// resultOf is what the end of a call says of its server.
func resultOf(ctx context.Context, d grpcbalancing.DoneInfo) balancer.Result {
	switch status.Code(d.Err) {
	case codes.Unavailable:
		if d.BytesReceived {
			return balancer.Failed
		}
		return balancer.Unreachable
	case codes.Internal, codes.Unknown, codes.DataLoss, codes.ResourceExhausted:
		return balancer.Failed
	case codes.DeadlineExceeded:
		return balancer.Unreachable
	case codes.Canceled:
		if ctx.Err() != nil {
			return balancer.Abandoned
		}
		return balancer.Unreachable
	}
	return balancer.OK
}
