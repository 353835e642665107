package peer_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

func newSystem() *actor.ActorSystem {
	quiet := slog.New(slog.DiscardHandler)
	return actor.NewActorSystemWithConfig(actor.Configure(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return quiet }),
		actor.WithDeadLetterThrottleInterval(time.Millisecond), // its goroutines end with it
	))
}

type outgoing struct {
	payload string
	err     error
}

func (o outgoing) Envelope() (*messages.Envelope, error) { return ask(o.payload), o.err }

// TestResolver: protoactor reaches an actor of another member by its PID, every
// request is answered, and system messages go nowhere.
func TestResolver(t *testing.T) {
	w := newWorld(t)
	calls := make(chan string, 10)
	b := w.node("b", &handler{call: func(_ peer.Identity, e *messages.Envelope, answer func(*messages.Reply)) {
		if answer == nil {
			calls <- fmt.Sprintf("told %s.%s", e.GetKind(), e.GetId())
			return
		}
		answer(&messages.Reply{Payload: fmt.Appendf(nil, "%s.%s %s", e.GetKind(), e.GetId(), e.GetPayload())})
	}})
	a := w.node("a", &handler{})
	system := newSystem()
	defer system.Shutdown()
	(&peer.Resolver{Dialer: a.Dialer, System: system, Member: func(address string) (view.Member, bool) {
		m := b.Self()
		if address == "gone:1" {
			return view.Member{ID: "gone", Name: "gone", Address: "127.0.0.1:1"}, true
		}
		return m, address == m.Address
	}}).Register()
	here := b.Self().Address
	for name, tt := range map[string]struct {
		address, id string
		message     any
		want        messages.ErrorKind
		payload     string
	}{
		"an envelope":     {here, "host/h1", ask("x"), 0, "host.h1 x"},
		"a call":          {here, "host/a/b", outgoing{"y", nil}, 0, "host.a/b y"},
		"a bad call":      {here, "host/h1", outgoing{"y", messages.Conflict}, messages.ErrorKind_ERROR_KIND_CONFLICT, ""},
		"anything":        {here, "host/h1", "text", messages.ErrorKind_ERROR_KIND_INVALID, ""},
		"no actor":        {here, "host", ask("x"), messages.ErrorKind_ERROR_KIND_INVALID, ""},
		"an empty member": {"gone:1", "host/h1", ask("x"), messages.ErrorKind_ERROR_KIND_UNAVAILABLE, ""},
	} {
		got, err := system.Root.RequestFuture(actor.NewPID(tt.address, tt.id), tt.message, patience).Result()
		r, ok := got.(*messages.Reply)
		if err != nil || !ok || r.GetError() != tt.want || string(r.GetPayload()) != tt.payload {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	pid := actor.NewPID(here, "host/h1")
	system.Root.Stop(pid)
	system.Root.Poison(pid)
	system.Root.Send(pid, ask("x"))
	if got := wait(t, "a tell", calls); got != "told host.h1" {
		t.Errorf("the first that came is %q", got)
	}
	if _, err := system.Root.RequestFuture(actor.NewPID("nowhere:1", "host/h1"), ask("x"), 10*time.Millisecond).Result(); err == nil {
		t.Error("an address of no member answered")
	}
}
