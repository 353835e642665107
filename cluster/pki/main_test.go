package pki_test

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc"

	"github.com/troupe-cloud/troupe/cluster/pki"
	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// The services of the tests: troupe.Peer may be called by clients, troupe.Blobs
// by nodes alone.
const (
	callPeer  = "/troupe.Peer/Who"
	callBlobs = "/troupe.Blobs/Who"
)

// who answers with the identity that the server saw.
func who(_ any, ctx context.Context, decode func(any) error, between grpc.UnaryServerInterceptor) (any, error) {
	in := &messages.Done{}
	if err := decode(in); err != nil {
		return nil, err
	}
	do := func(ctx context.Context, _ any) (any, error) {
		id, err := pki.FromContext(ctx)
		return &messages.Admitted{Name: id.String()}, err
	}
	if between == nil {
		return do(ctx, in)
	}
	return between(ctx, in, &grpc.UnaryServerInfo{FullMethod: callPeer}, do)
}

// serve runs a server of a node and says where.
func serve(t testing.TB, s *pki.Source, more ...func(grpc.ServiceRegistrar)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(pki.ServerOptions(s, "troupe.Peer")...)
	for _, name := range []string{"troupe.Peer", "troupe.Blobs"} {
		server.RegisterService(&grpc.ServiceDesc{
			ServiceName: name, HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{MethodName: "Who", Handler: who}},
		}, nil)
	}
	for _, register := range more {
		register(server)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
	return l.Addr().String()
}

// dial makes a connection that is closed with the test.
func dial(t testing.TB, address string, option grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+address, option, grpc.WithNoProxy())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// call asks who one is there.
func call(t testing.TB, address, method string, creds grpc.DialOption) (string, error) {
	t.Helper()
	conn := dial(t, address, creds)
	defer conn.Close()
	out := &messages.Admitted{}
	err := conn.Invoke(t.Context(), method, &messages.Done{}, out)
	return out.Name, err
}

func as(s *pki.Source, name string) grpc.DialOption {
	return grpc.WithTransportCredentials(pki.ClientCredentials(s, name))
}
