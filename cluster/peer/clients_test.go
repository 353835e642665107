package peer_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/pki"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// TestClient: a program with a client's certificate calls, watches and hears,
// knowing nothing but an address; it does not ping.
func TestClient(t *testing.T) {
	w := newWorld(t)
	watches, gone := make(chan peer.Identity, 1), make(chan peer.Identity, 1)
	b := w.node("b", &handler{
		notice: func(from peer.Identity, n *messages.Notice) { watches <- from },
		gone:   func(from peer.Identity) { gone <- from },
	})
	notices, ended := make(chan *messages.Notice, 1000), make(chan peer.Identity, 10)
	d := w.client("shop", &handler{
		notice: func(_ peer.Identity, n *messages.Notice) { notices <- n },
		gone:   func(from peer.Identity) { ended <- from },
	})
	to := view.Member{Address: b.Self().Address}
	if r, err := d.Call(w.ctx, to, ask("x")); err != nil || string(r.GetPayload()) != "x" {
		t.Fatalf("a call: %v, %v", r, err)
	}
	d.Notify(to, &messages.Notice{Topic: "watch", Id: "1"})
	from := wait(t, "the watch", watches)
	if from.Role != peer.RoleClient || from.Name != "shop" || from.Member != "" || from.Stream == 0 {
		t.Errorf("watched by %+v", from)
	}
	for i := range uint64(100) {
		if err := b.Push(from.Stream, &messages.Notice{Id: "1", Index: i}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range uint64(100) {
		if n := wait(t, "a notice", notices); n.GetIndex() != i {
			t.Fatalf("notice %d came as number %d", n.GetIndex(), i)
		}
	}
	if _, err := d.Ping(w.ctx, to, &messages.Ping{}); !errors.Is(err, peer.ErrBroken) {
		t.Errorf("a client's ping: %v", err)
	}
	if got := wait(t, "the end of the stream", gone); got != from {
		t.Errorf("gone is %+v", got)
	}
	if got := wait(t, "the end of the stream", ended); got.Name != "b" || got.Stream != 0 {
		t.Errorf("ended is %+v", got)
	}
	if err := b.Push(from.Stream, &messages.Notice{}); !errors.Is(err, peer.ErrUnreachable) {
		t.Errorf("to a stream that is gone: %v", err)
	}
}

// TestConfined: what a client's certificate confines it to comes with its calls.
func TestConfined(t *testing.T) {
	w := newWorld(t)
	calls := make(chan peer.Identity, 1)
	b := w.node("b", &handler{call: func(from peer.Identity, _ *messages.Envelope, answer func(*messages.Reply)) {
		calls <- from
		answer(&messages.Reply{})
	}})
	d, err := peer.NewDialer(peer.Config{
		Self: view.Member{Name: "shop"}, Role: peer.RoleClient, Cluster: w.ca.ID, Log: zerolog.Nop(),
		TLS: w.ca.Source(t, pki.Identity{Role: pki.Client, Name: "shop", Project: "p1", Reader: true}, pki.DefaultClientLife),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Call(w.ctx, b.Self(), ask("x")); err != nil {
		t.Fatal(err)
	}
	if from := wait(t, "the call", calls); from.Role != peer.RoleClient || from.Project != "p1" || !from.Reader {
		t.Errorf("called by %+v", from)
	}
}

// TestClientLimits: a client cannot have the node do ever more at once.
func TestClientLimits(t *testing.T) {
	w := newWorld(t)
	b := w.node("b", silent())
	d := w.client("shop", nil)
	var last <-chan outcome
	for range peer.MaxServingClient + 1 {
		last = send(d, b.Self(), ask("x"))
	}
	if got := wait(t, "a refusal", last); got.reply.GetError() != messages.ErrorKind_ERROR_KIND_UNAVAILABLE {
		t.Errorf("one call too many: %v", got)
	}
	var err error
	for i := 0; i < peer.MaxClientStreams+1 && err == nil; i++ {
		told := ask("x")
		told.Tell = true
		_, err = w.client("shop", nil).Call(w.ctx, b.Self(), told)
	}
	if !errors.Is(err, peer.ErrUnreachable) {
		t.Errorf("one stream too many: %v", err)
	}
}

// TestUnread: who does not read what it asked to be told loses the stream, and
// does not fill the memory.
func TestUnread(t *testing.T) {
	w := newWorld(t)
	watches, gone := make(chan peer.Identity, 1), make(chan peer.Identity, 1)
	b := w.node("b", &handler{
		notice: func(from peer.Identity, n *messages.Notice) { watches <- from },
		gone:   func(from peer.Identity) { gone <- from },
	})
	p := newProxy(t, b.Self().Address)
	d := w.client("shop", &handler{})
	d.Notify(view.Member{Address: p.address()}, &messages.Notice{Topic: "watch"})
	from := wait(t, "the watch", watches)
	p.set(func() { p.stall = true })
	n := &messages.Notice{Payload: make([]byte, 1<<20)}
	for i := 0; b.Push(from.Stream, n) == nil; i++ {
		if i > 2*peer.MaxQueuedBytes/len(n.GetPayload()) {
			t.Fatalf("%d MiB wait", i)
		}
	}
	wait(t, "the end of the stream", gone)
}

// TestServices: without a certificate only service troupe.Join is reached, and
// others are for nodes. A panic in any of them is one error.
func TestServices(t *testing.T) {
	w := newWorld(t)
	seen := make(chan string, 100)
	serve := func(name string) func(grpc.ServiceRegistrar) {
		one := func(_ any, ctx context.Context, decode func(any) error, next grpc.UnaryServerInterceptor) (any, error) {
			in := &emptypb.Empty{}
			if err := decode(in); err != nil {
				return nil, err
			}
			return next(ctx, in, &grpc.UnaryServerInfo{FullMethod: name + "/One"}, func(ctx context.Context, _ any) (any, error) {
				who, ok := peer.IdentityOf(ctx)
				seen <- fmt.Sprint(who.Role, " ", who.Name, " ", ok)
				if who.Name == "bad" {
					panic("in a test")
				}
				return &emptypb.Empty{}, nil
			})
		}
		many := func(any, grpc.ServerStream) error { panic("in a test") }
		return func(r grpc.ServiceRegistrar) {
			r.RegisterService(&grpc.ServiceDesc{
				ServiceName: name, HandlerType: (*any)(nil),
				Methods: []grpc.MethodDesc{{MethodName: "One", Handler: one}},
				Streams: []grpc.StreamDesc{{StreamName: "Many", Handler: many, ServerStreams: true}},
			}, nil)
		}
	}
	c := w.config("b", &handler{})
	c.Register = []func(grpc.ServiceRegistrar){serve("troupe.Join"), serve("troupe.Blobs")}
	b := w.listen(c)
	bare := w.ca.Node(t, "x").ClientConfig("")
	bare.GetClientCertificate = nil
	nobody := credentials.NewTLS(bare)
	without, err := grpc.NewClient("passthrough:///"+b.Self().Address, grpc.WithTransportCredentials(nobody))
	if err != nil {
		t.Fatal(err)
	}
	defer without.Close()
	of := func(d interface {
		Conn(view.Member) (*grpc.ClientConn, error)
	}) *grpc.ClientConn {
		conn, err := d.Conn(b.Self())
		if err != nil {
			t.Fatal(err)
		}
		return conn
	}
	client, node, bad := of(w.client("shop", nil)), of(w.node("a", &handler{})), of(w.node("bad", &handler{}))
	for _, tt := range []struct {
		name, method string
		conn         *grpc.ClientConn
		want         codes.Code
		seen         string
	}{
		{"nobody joins", "troupe.Join/One", without, codes.OK, "  false"},
		{"nobody fetches", "troupe.Blobs/One", without, codes.PermissionDenied, ""},
		{"nobody calls", "troupe.Peer/Exchange", without, codes.PermissionDenied, ""},
		{"a client joins", "troupe.Join/One", client, codes.OK, "client shop true"},
		{"a client fetches", "troupe.Blobs/One", client, codes.PermissionDenied, ""},
		{"a node fetches", "troupe.Blobs/One", node, codes.OK, "node a true"},
		{"a panic", "troupe.Blobs/One", bad, codes.Internal, "node bad true"},
		{"a panic in a stream", "troupe.Blobs/Many", node, codes.Internal, ""},
		{"no such method", "troupe.Blobs/None", node, codes.Unimplemented, ""},
	} {
		err := tt.conn.Invoke(w.ctx, "/"+tt.method, &emptypb.Empty{}, &emptypb.Empty{})
		if status.Code(err) != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if tt.seen != "" {
			if got := wait(t, "the call", seen); got != tt.seen {
				t.Errorf("%s: seen as %q", tt.name, got)
			}
		}
	}
}
