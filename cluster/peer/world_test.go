package peer_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/cluster/consultest"
	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/pki/pkitest"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/leaktest"
)

func TestMain(m *testing.M) {
	if run := shipped[os.Getenv(shippedEnv)]; run != nil {
		if err := run(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	leaktest.Main(m)
}

// patience bounds what a test waits for; nothing is expected to need it.
const patience = time.Minute

// world makes nodes of one cluster on loopback.
type world struct {
	t   testing.TB
	ca  *pkitest.Cluster
	ctx context.Context

	silence time.Duration // of the nodes; tests of bad networks take the default
}

func newWorld(t testing.TB) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	t.Cleanup(cancel)
	return &world{t: t, ca: pkitest.New(t), ctx: ctx, silence: patience}
}

func (w *world) config(name string, h peer.Handler) peer.Config {
	w.t.Helper()
	return peer.Config{
		Self:    view.Member{ID: name + "-" + uuid.NewString()[:8], Name: name, Address: "127.0.0.1:0"},
		Cluster: w.ca.ID, TLS: w.ca.Node(w.t, name), Handler: h, Log: zerolog.Nop(), Silence: w.silence,
	}
}

func (w *world) listen(c peer.Config) *peer.Server {
	w.t.Helper()
	s, err := peer.Listen(w.ctx, c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { stop(s) })
	return s
}

// stop ends a server without waiting for what it still has to answer.
func stop(s *peer.Server) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = s.Stop(ctx)
}

func (w *world) node(name string, h peer.Handler) *peer.Server { return w.listen(w.config(name, h)) }

// lasting is a node at an address that it, or another, can have again.
func (w *world) lasting(name string) *peer.Server {
	w.t.Helper()
	ports, err := consultest.FreePorts(1)
	if err != nil {
		w.t.Fatal(err)
	}
	c := w.config(name, &handler{})
	c.Self.Address = fmt.Sprintf("127.0.0.1:%d", ports[0])
	return w.listen(c)
}

func (w *world) client(name string, h peer.Handler) *peer.Dialer {
	w.t.Helper()
	d, err := peer.NewDialer(peer.Config{
		Self: view.Member{Name: name}, Role: peer.RoleClient, Cluster: w.ca.ID,
		TLS: w.ca.Client(w.t, name), Handler: h, Log: zerolog.Nop(), Silence: w.silence,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = d.Close() })
	return d
}

// handler answers with what it was sent, unless it is told otherwise.
type handler struct {
	call   func(from peer.Identity, e *messages.Envelope, answer func(*messages.Reply))
	ping   func(from peer.Identity, p *messages.Ping) *messages.Pong
	notice func(from peer.Identity, n *messages.Notice)
	gone   func(from peer.Identity)
}

func (h *handler) Call(from peer.Identity, e *messages.Envelope, answer func(*messages.Reply)) {
	if h.call != nil {
		h.call(from, e, answer)
	} else if answer != nil {
		answer(&messages.Reply{Method: e.GetMethod(), Payload: e.GetPayload()})
	}
}

func (h *handler) Ping(from peer.Identity, p *messages.Ping) *messages.Pong {
	if h.ping != nil {
		return h.ping(from, p)
	}
	return &messages.Pong{View: p.GetView()}
}

func (h *handler) Notice(from peer.Identity, n *messages.Notice) {
	if h.notice != nil {
		h.notice(from, n)
	}
}

func (h *handler) Gone(from peer.Identity) {
	if h.gone != nil {
		h.gone(from)
	}
}

// silent takes calls and answers none.
func silent() *handler {
	return &handler{call: func(peer.Identity, *messages.Envelope, func(*messages.Reply)) {}}
}

func ask(payload string) *messages.Envelope {
	return &messages.Envelope{Kind: "k", Id: "i", Method: "m", Payload: []byte(payload)}
}

type outcome struct {
	reply *messages.Reply
	err   error
}

// send sends, and gives what becomes of it.
func send(d interface {
	Send(view.Member, *messages.Envelope, func(*messages.Reply, error))
}, to view.Member, e *messages.Envelope) <-chan outcome {
	got := make(chan outcome, 2)
	d.Send(to, e, func(r *messages.Reply, err error) { got <- outcome{r, err} })
	return got
}

func wait[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not come", what)
		panic("unreachable")
	}
}

// mustEcho calls until there is an answer, as an asker would.
func (w *world) mustEcho(from *peer.Server, to view.Member) {
	w.t.Helper()
	var last error
	for try := 0; w.ctx.Err() == nil; try++ {
		want := fmt.Sprint("echo ", try)
		r, err := from.Call(w.ctx, to, ask(want))
		if err == nil && string(r.GetPayload()) == want {
			return
		}
		last = err
	}
	w.t.Fatalf("no answer: %v", last)
}

// at is m behind another address.
func at(m view.Member, address string) view.Member {
	m.Address = address
	return m
}
