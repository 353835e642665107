package grpcbalancer_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/troupe-cloud/troupe/balancer"
	"github.com/troupe-cloud/troupe/balancer/grpcbalancer"
)

// server is a real gRPC server that counts its calls.
type server struct {
	grpc_health_v1.UnimplementedHealthServer
	*grpc.Server
	calls atomic.Int64
	at    balancer.Endpoint
}

func (s *server) Check(context.Context, *grpc_health_v1.HealthCheckRequest) (*grpc_health_v1.HealthCheckResponse, error) {
	s.calls.Add(1)
	return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING}, nil
}

func serve(t *testing.T) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{Server: grpc.NewServer()}
	grpc_health_v1.RegisterHealthServer(s.Server, s)
	if s.at, err = balancer.ParseEndpoint(l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l) // until it is stopped
	}()
	t.Cleanup(func() { s.Stop(); <-done })
	return s
}

// pushed is a source whose list a test changes.
type pushed struct{ lists chan []balancer.Endpoint }

func (p pushed) Watch(ctx context.Context, _ string, update func([]balancer.Endpoint)) error {
	for {
		select {
		case list := <-p.lists:
			update(list)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// TestCalls: calls by name are spread over the servers; when one is killed none
// that may be made again fails, and one that is added gets its share.
func TestCalls(t *testing.T) {
	a, b, later := serve(t), serve(t), serve(t)
	source := pushed{make(chan []balancer.Endpoint, 3)}
	services := &balancer.Services{Source: source, Config: func(string) balancer.Config {
		return balancer.Config{Rule: &balancer.RoundRobin{}}
	}}
	t.Cleanup(services.Close)
	source.lists <- []balancer.Endpoint{a.at, b.at}
	conn, err := grpc.NewClient(grpcbalancer.Scheme+":///web", grpc.WithResolvers(grpcbalancer.Resolver(services, grpcbalancer.Options{MethodConfig: grpcbalancer.RetryUnavailable})),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	client := grpc_health_v1.NewHealthClient(conn)
	call := func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := client.Check(ctx, &grpc_health_v1.HealthCheckRequest{}, grpc.WaitForReady(true)); err != nil {
			t.Fatal(err)
		}
	}
	until := func(done func() bool) {
		for !done() {
			call()
		}
	}
	until(func() bool { return a.calls.Load() > 10 && b.calls.Load() > 10 })
	a.Stop()
	for range 50 {
		call()
	}
	source.lists <- []balancer.Endpoint{b.at, later.at}
	until(func() bool { return later.calls.Load() > 10 })
	web, err := services.Get(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	if got := web.Stats(); len(got) != 2 || got[0].Calls+got[1].Calls < 20 {
		t.Errorf("statistics: %+v", got)
	}
}
