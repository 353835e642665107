package peer_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/pki/pkitest"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// TestStrangers: who does not belong is refused, and both sides can say why.
func TestStrangers(t *testing.T) {
	w := newWorld(t)
	b := w.node("b", &handler{})
	foreign := pkitest.New(t)
	for name, tt := range map[string]struct {
		change func(c *peer.Config, to *view.Member)
		want   error
		text   string
	}{
		"a friend": {func(*peer.Config, *view.Member) {}, nil, ""},
		"whoever is there": {func(_ *peer.Config, to *view.Member) {
			*to = view.Member{Address: to.Address}
		}, nil, ""},
		"another id of the cluster": {func(c *peer.Config, _ *view.Member) { c.Cluster = "other" }, peer.ErrRejected, "another cluster"},
		"another authority":         {func(c *peer.Config, _ *view.Member) { c.TLS = foreign.Node(t, "a") }, peer.ErrRejected, "and this is"},
		"another name":              {func(c *peer.Config, _ *view.Member) { c.Self.Name = "c" }, peer.ErrRejected, `of node "a", not of node "c"`},
		"a client's certificate":    {func(c *peer.Config, _ *view.Member) { c.TLS = w.ca.Client(t, "a") }, peer.ErrRejected, "certificate is of client"},
		"too new": {func(c *peer.Config, _ *view.Member) {
			c.Self.Protocol, c.Self.MinProtocol = peer.Protocol+2, peer.Protocol+1
		}, peer.ErrRejected, "incompatible version"},
		"newer, but speaks ours": {func(c *peer.Config, _ *view.Member) {
			c.Self.Protocol, c.Self.MinProtocol = peer.Protocol+2, peer.Protocol
		}, nil, ""},
		"meant for another member":    {func(_ *peer.Config, to *view.Member) { to.ID = "b-before" }, peer.ErrNotMe, "is here now"},
		"meant for another node":      {func(_ *peer.Config, to *view.Member) { to.Name = "c" }, peer.ErrRejected, "node c was called"},
		"plain text to a TLS service": {func(c *peer.Config, _ *view.Member) { c.TLS = nil }, peer.ErrUnreachable, ""},
	} {
		c, to := w.config("a", &handler{}), b.Self()
		tt.change(&c, &to)
		_, err := w.listen(c).Call(w.ctx, to, ask("x"))
		if !errors.Is(err, tt.want) || tt.want != nil && (!errors.Is(err, peer.ErrUnreachable) || !strings.Contains(err.Error(), tt.text)) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

// TestOldest: a node that speaks no protocol as new as what is stored needs is refused,
// and told so; a client is not, for it reads nothing of that.
func TestOldest(t *testing.T) {
	w := newWorld(t)
	c := w.config("b", &handler{})
	c.Oldest = func() uint32 { return peer.Protocol }
	b := w.listen(c)
	for name, tt := range map[string]struct {
		protocol uint32
		role     string
		want     error
	}{
		"a node of this version":       {peer.Protocol, peer.RoleNode, nil},
		"a node of an earlier version": {peer.Protocol - 1, peer.RoleNode, peer.ErrRejected},
		"a client of an earlier one":   {peer.Protocol - 1, peer.RoleClient, nil},
	} {
		c := w.config("a", &handler{})
		c.Self.Protocol = tt.protocol
		if tt.role == peer.RoleClient {
			c.Role, c.TLS, c.Self = tt.role, w.ca.Client(t, "a"), view.Member{Name: "a", Protocol: tt.protocol}
		}
		d, err := peer.NewDialer(c)
		if err != nil {
			t.Fatal(err)
		}
		_, err = d.Call(w.ctx, b.Self(), ask("x"))
		if !errors.Is(err, tt.want) || tt.want != nil && !strings.Contains(err.Error(), "what this cloud stores needs 2") {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

// plain is a node without TLS, on loopback, and a connection to it.
func (w *world) plain(h peer.Handler) (*peer.Server, *grpc.ClientConn) {
	w.t.Helper()
	c := w.config("b", h)
	c.TLS = nil
	s := w.listen(c)
	conn, err := grpc.NewClient("passthrough:///"+s.Self().Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close() })
	return s, conn
}

func (w *world) hello() *messages.Hello {
	return &messages.Hello{
		Cluster: w.ca.ID, Role: peer.RoleNode, Name: "a", MemberId: "a-1",
		Protocol: peer.Protocol, MinProtocol: peer.MinProtocol, UnixMs: time.Now().UnixMilli(),
	}
}

func greet(h *messages.Hello) *messages.Frames {
	return &messages.Frames{Frames: []*messages.Frame{{Body: &messages.Frame_Hello{Hello: h}}}}
}

// say opens a stream by hand, sends, and reads until the end.
func (w *world) say(conn *grpc.ClientConn, all ...any) (heard []*messages.Frame, err error) {
	w.t.Helper()
	stream, err := conn.NewStream(w.ctx, peer.ExchangeDesc(), peer.ExchangeMethod)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, m := range all {
		_ = stream.SendMsg(m)
	}
	_ = stream.CloseSend()
	for {
		frames := &messages.Frames{}
		if err := stream.RecvMsg(frames); err != nil {
			return heard, err
		}
		heard = append(heard, frames.GetFrames()...)
	}
}

// TestHello: what a greeting must say.
func TestHello(t *testing.T) {
	w := newWorld(t)
	_, conn := w.plain(&handler{})
	for name, tt := range map[string]struct {
		change func(h *messages.Hello)
		want   messages.GoAway_Reason
		text   string
	}{
		"a good one":        {func(*messages.Hello) {}, 0, ""},
		"a fast clock":      {func(h *messages.Hello) { h.UnixMs += 31_000 + 5_000 }, messages.GoAway_REASON_CLOCK, "clocks"},
		"a slow clock":      {func(h *messages.Hello) { h.UnixMs -= 31_000 }, messages.GoAway_REASON_CLOCK, "30s"},
		"a bearable clock":  {func(h *messages.Hello) { h.UnixMs += 20_000 }, 0, ""},
		"no cluster":        {func(h *messages.Hello) { h.Cluster = "" }, messages.GoAway_REASON_CLUSTER, "another cluster"},
		"no protocol":       {func(h *messages.Hello) { h.Protocol = 0 }, messages.GoAway_REASON_VERSION, "incompatible version"},
		"no name":           {func(h *messages.Hello) { h.Name = "" }, messages.GoAway_REASON_IDENTITY, "not who"},
		"a node without id": {func(h *messages.Hello) { h.MemberId = "" }, messages.GoAway_REASON_IDENTITY, "not who"},
		"a client with one": {func(h *messages.Hello) { h.Role = peer.RoleClient }, messages.GoAway_REASON_IDENTITY, "not who"},
		"a role of its own": {func(h *messages.Hello) { h.Role = "ca" }, messages.GoAway_REASON_IDENTITY, "not who"},
		"for somebody else": {func(h *messages.Hello) { h.ToMemberId = "x" }, messages.GoAway_REASON_NOT_ME, "is here now"},
		"only a later one":  {func(h *messages.Hello) { h.MinProtocol = 9 }, messages.GoAway_REASON_VERSION, "incompatible version"},
	} {
		h := w.hello()
		tt.change(h)
		heard, _ := w.say(conn, greet(h))
		if len(heard) != 1 {
			t.Errorf("%s: heard %v", name, heard)
			continue
		}
		g := heard[0].GetGoAway()
		if g.GetReason() != tt.want || (tt.want == 0) != (heard[0].GetHello() != nil) || !strings.Contains(g.GetMessage(), tt.text) {
			t.Errorf("%s: heard %v; want %v", name, heard[0], tt.want)
		}
	}
}

// TestGarbage: what breaks the protocol ends the stream, with a reason; what is
// only unknown is passed over.
func TestGarbage(t *testing.T) {
	w := newWorld(t)
	s, conn := w.plain(&handler{})
	call := &messages.Frames{Frames: []*messages.Frame{
		{Id: 5},
		{Id: 6, Body: &messages.Frame_Answer{Answer: &messages.Reply{}}},
		{Id: 7, Body: &messages.Frame_Call{Call: ask("x")}},
	}}
	call.Frames[0].ProtoReflect().SetUnknown([]byte{0xfa, 0x7f, 1, 'x'})
	for name, tt := range map[string]struct {
		say   []any
		want  codes.Code
		heard int
	}{
		"nothing":                  {nil, codes.Unknown, 0},
		"no greeting":              {[]any{call}, codes.InvalidArgument, 0},
		"an empty greeting":        {[]any{&messages.Frames{}}, codes.InvalidArgument, 0},
		"no frames at all":         {[]any{&messages.Hello{Cluster: "\x0a\x7f"}}, codes.Internal, 0},
		"two greetings":            {[]any{greet(w.hello()), greet(w.hello())}, codes.InvalidArgument, 1},
		"an unknown frame":         {[]any{greet(w.hello()), call}, codes.OK, 1},
		"bytes that are no frames": {[]any{greet(w.hello()), &messages.Envelope{Kind: "\x0a\x7f"}}, codes.Internal, 1},
	} {
		heard, err := w.say(conn, tt.say...)
		if tt.want != codes.OK && tt.want != codes.Unknown && status.Code(err) != tt.want {
			t.Errorf("%s: ended with %v", name, err)
		}
		if len(heard) < tt.heard {
			t.Errorf("%s: heard %v", name, heard)
		}
	}
	c := w.config("a", &handler{})
	c.TLS = nil
	w.mustEcho(w.listen(c), s.Self())
}

// TestPlainText: without certificates nothing but loopback is listened at or
// dialled.
func TestPlainText(t *testing.T) {
	w := newWorld(t)
	c := w.config("a", &handler{})
	c.TLS, c.Bind = nil, "0.0.0.0:0"
	if s, err := peer.Listen(w.ctx, c); !errors.Is(err, messages.Invalid) || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("listening everywhere: %v, %v", s, err)
	}
	c.Bind = ""
	c.Dial = func(ctx context.Context, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		return elsewhere{conn}, err
	}
	b := w.node("b", &handler{})
	if _, err := w.listen(c).Call(w.ctx, b.Self(), ask("x")); !errors.Is(err, peer.ErrUnreachable) || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("dialling elsewhere: %v", err)
	}
}

type elsewhere struct{ net.Conn }

func (elsewhere) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }

// TestConfig: what cannot work is refused at the start.
func TestConfig(t *testing.T) {
	w := newWorld(t)
	b := w.node("b", &handler{})
	for name, change := range map[string]func(c *peer.Config){
		"no cluster":       func(c *peer.Config) { c.Cluster = "" },
		"no name":          func(c *peer.Config) { c.Self.Name = "" },
		"no id":            func(c *peer.Config) { c.Self.ID = "" },
		"no handler":       func(c *peer.Config) { c.Handler = nil },
		"a client":         func(c *peer.Config) { c.Role = peer.RoleClient },
		"no such role":     func(c *peer.Config) { c.Role = "ca" },
		"no such address":  func(c *peer.Config) { c.Bind = "nowhere" },
		"an address taken": func(c *peer.Config) { c.Bind = b.Self().Address },
	} {
		c := peer.Config{
			Self: view.Member{ID: "a-1", Name: "a", Address: "127.0.0.1:0"}, Cluster: w.ca.ID,
			TLS: w.ca.Node(t, "a"), Handler: &handler{}, Log: zerolog.Nop(),
		}
		change(&c)
		if s, err := peer.Listen(w.ctx, c); !errors.Is(err, messages.Invalid) {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
}
