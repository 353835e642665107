package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// TestWebSocket: an upgraded connection carries bytes both ways until one side ends it.
func TestWebSocket(t *testing.T) {
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != websocket || r.Header.Get("X-Troupe-Token") != "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c, both, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_, _ = io.Copy(c, both)
	}))
	defer echo.Close()
	w := start(t, loopback)
	w.register(t, "web", nil, echo.Listener.Addr().String())
	c, err := net.Dial("tcp", w.front.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = fmt.Fprintf(c, "GET %s/ws HTTP/1.1\r\nHost: h\r\nX-Troupe-Token: good\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n", web)
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", resp, err)
	}
	for i := range 3 {
		said := fmt.Sprintf("message %d\n", i)
		if _, err := io.WriteString(c, said); err != nil {
			t.Fatal(err)
		}
		if heard, err := in.ReadString('\n'); err != nil || heard != said {
			t.Fatalf("heard %q, %v", heard, err)
		}
	}
	if w.proxy.InFlight() != 1 {
		t.Errorf("%d under way", w.proxy.InFlight())
	}
	_ = c.Close()
}

// TestGRPC: unary calls and streams pass, with their trailers; and what fails here
// looks as gRPC has it.
func TestGRPC(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var seen metadata.MD
	server := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
		seen, _ = metadata.FromIncomingContext(ctx)
		return handle(ctx, req)
	}))
	state := health.NewServer()
	healthpb.RegisterHealthServer(server, state)
	go func() { _ = server.Serve(l) }()
	defer server.Stop()
	w := start(t, loopback)
	w.register(t, "web", nil, l.Addr().String())
	dial := func(authority string) healthpb.HealthClient {
		conn, err := grpc.NewClient(w.front.Listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority(authority))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return healthpb.NewHealthClient(conn)
	}
	ctx := metadata.AppendToOutgoingContext(t.Context(), "x-troupe-token", "good", "mine", "stays")
	c := dial("web.svc.local")
	if got, err := c.Check(ctx, &healthpb.HealthCheckRequest{}); err != nil || got.Status != healthpb.HealthCheckResponse_SERVING {
		t.Fatalf("%v, %v", got, err)
	}
	if len(seen["x-troupe-token"]) != 0 || strings.Join(seen["mine"], "") != "stays" {
		t.Errorf("the server saw %v", seen)
	}
	if _, err := c.Check(ctx, &healthpb.HealthCheckRequest{Service: "none"}); status.Code(err) != codes.NotFound {
		t.Errorf("the service's own error: %v", err)
	}
	watch, err := c.Watch(ctx, &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []healthpb.HealthCheckResponse_ServingStatus{healthpb.HealthCheckResponse_SERVING, healthpb.HealthCheckResponse_NOT_SERVING, healthpb.HealthCheckResponse_SERVING} {
		got, err := watch.Recv()
		if err != nil || got.Status != want {
			t.Fatalf("streamed %v, %v; want %v", got, err, want)
		}
		state.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
		if want == healthpb.HealthCheckResponse_NOT_SERVING {
			state.SetServingStatus("", healthpb.HealthCheckResponse_SERVING)
		}
	}
	if _, err := c.Check(t.Context(), &healthpb.HealthCheckRequest{}); status.Code(err) != codes.Unauthenticated {
		t.Errorf("without a token: %v", err)
	}
	if _, err := dial("secret.svc.local").Check(ctx, &healthpb.HealthCheckRequest{}); status.Code(err) != codes.PermissionDenied {
		t.Errorf("without permission: %v", err)
	}
	if _, err := dial("none.svc.local").Check(ctx, &healthpb.HealthCheckRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("without an endpoint: %v", err)
	}
}
