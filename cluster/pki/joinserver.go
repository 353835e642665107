package pki

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"

	"github.com/troupe-cloud/troupe/messages"
)

// How often processes without a certificate may ask.
const (
	joinsPerSecond     = 20 // of all
	joinBurst          = 100
	hostJoinsPerSecond = 1 // of one address
	hostJoinBurst      = 20
	maxJoinHosts       = 4096 // addresses remembered
	joinTimeout        = 10 * time.Second
)

// The methods of troupe.Join; proto/join.proto describes them.
const (
	methodJoin  = "/" + joinService + "/Join"
	methodRenew = "/" + joinService + "/Renew"
)

// RegisterJoin has a server admit nodes and renew their certificates. The server
// has to be made with ServerOptions.
func RegisterJoin(r grpc.ServiceRegistrar, a *Authority) {
	r.RegisterService(&grpc.ServiceDesc{
		ServiceName: joinService,
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			{MethodName: "Join", Handler: handler(methodJoin, (*joinServer).join)},
			{MethodName: "Renew", Handler: handler(methodRenew, (*joinServer).renew)},
		},
		Metadata: "join.proto",
	}, &joinServer{
		authority: a, limits: newLimits(a.cfg.Now),
		noisy: a.cfg.Log.Sample(&zerolog.BurstSampler{Burst: refusalLines, Period: time.Minute}),
	})
}

// handler makes of a method what the generated code of gRPC makes.
func handler[Q, A any](method string, do func(*joinServer, context.Context, *Q) (*A, error)) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, between grpc.UnaryServerInterceptor) (any, error) {
		s, q := srv.(*joinServer), new(Q)
		if err := decode(q); err != nil {
			return nil, err
		}
		call := func(ctx context.Context, q any) (any, error) {
			ctx, cancel := context.WithTimeout(ctx, joinTimeout)
			defer cancel()
			a, err := do(s, ctx, q.(*Q))
			return a, s.refused(ctx, method, err)
		}
		if between == nil {
			return call(ctx, q)
		}
		return between(ctx, q, &grpc.UnaryServerInfo{Server: srv, FullMethod: method}, call)
	}
}

type joinServer struct {
	authority *Authority
	limits    *limits
	noisy     zerolog.Logger
}

// refused logs why somebody was sent away, and makes the error fit for the wire.
func (s *joinServer) refused(ctx context.Context, method string, err error) error {
	if err != nil {
		s.noisy.Warn().Err(err).Str("remote", remoteHost(ctx)).Str("method", method).Msg("refused")
	}
	return grpcError(err)
}

func (s *joinServer) join(ctx context.Context, r *messages.JoinRequest) (*messages.JoinAnswer, error) {
	if !s.limits.allow(remoteHost(ctx)) {
		return nil, fmt.Errorf("too many requests to join; wait a little: %w", messages.Exhausted)
	}
	return s.authority.Admit(ctx, r)
}

func (s *joinServer) renew(ctx context.Context, r *messages.RenewRequest) (*messages.RenewAnswer, error) {
	id, err := FromContext(ctx)
	if err != nil {
		return nil, err
	}
	now := s.authority.cfg.Now()
	// The connection may be older than the certificate's end.
	if now.After(id.Until) {
		return nil, refuse(ErrExpired, "the certificate of %v has expired at %s: the node has to join again", id, stamp(id.Until))
	}
	if err := CheckClock(now, time.UnixMilli(r.UnixMs)); err != nil {
		return nil, err
	}
	issued, err := s.authority.Renew(ctx, id, r.Csr)
	if err != nil {
		return nil, err
	}
	return &messages.RenewAnswer{Issued: issued, UnixMs: now.UnixMilli()}, nil
}

// RenewOver asks the node at the other end of a connection that was dialled with
// ClientCredentials.
func RenewOver(conn grpc.ClientConnInterface) Renewer {
	return func(ctx context.Context, csr []byte) (*messages.IssuedCertificate, error) {
		answer := &messages.RenewAnswer{}
		err := conn.Invoke(ctx, methodRenew, &messages.RenewRequest{Csr: csr, UnixMs: time.Now().UnixMilli()}, answer)
		return answer.GetIssued(), ourError(err)
	}
}

func remoteHost(ctx context.Context) string {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return ""
	}
	return hostOf(p.Addr)
}

// limits bound how often tokens can be guessed at. A secret has 192 bits: what is
// to be spared is the store, not the secret.
type limits struct {
	now func() time.Time
	all *rate.Limiter

	mu    sync.Mutex
	hosts map[string]*rate.Limiter
}

func newLimits(now func() time.Time) *limits {
	return &limits{now: now, all: rate.NewLimiter(joinsPerSecond, joinBurst), hosts: map[string]*rate.Limiter{}}
}

// allow asks the address's own limit first: one that asks too often takes nothing
// from the others.
func (l *limits) allow(host string) bool {
	now := l.now()
	return l.host(host, now).AllowN(now, 1) && l.all.AllowN(now, 1)
}

func (l *limits) host(host string, now time.Time) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one := l.hosts[host]; one != nil {
		return one
	}
	if len(l.hosts) >= maxJoinHosts {
		for h, one := range l.hosts { // a full one is as good as none
			if one.TokensAt(now) >= hostJoinBurst {
				delete(l.hosts, h)
			}
		}
	}
	one := rate.NewLimiter(hostJoinsPerSecond, hostJoinBurst)
	if len(l.hosts) < maxJoinHosts {
		l.hosts[host] = one
	}
	return one
}

var errNoService = errors.New("this node admits nobody: it has neither the role " + Gateway + " nor " + Control)
