package peer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/messages"
)

// What this package is for: protoactor's own remote fails where a Server does
// not. It runs in a process of its own, for one of its failures is to end that.
const shippedEnv = "TROUPE_TEST_SHIPPED_REMOTE"

var shipped = map[string]func() error{"unknown": shippedUnknown, "batch": shippedBatch}

var errLost = errors.New("messages were lost")

func runShipped(t *testing.T, what string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0])
	child.Env = append(os.Environ(), shippedEnv+"="+what)
	var out bytes.Buffer
	child.Stdout, child.Stderr = &out, &out
	err := child.Run()
	if ctx.Err() != nil {
		t.Fatalf("it did not end: %s", out.String())
	}
	if err == nil {
		return ""
	}
	return out.String()
}

func newSystem() *actor.ActorSystem {
	quiet := slog.New(slog.DiscardHandler)
	return actor.NewActorSystemWithConfig(actor.Configure(
		actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return quiet }),
	))
}

func newShipped() (*actor.ActorSystem, *remote.Remote) {
	system := newSystem()
	r := remote.NewRemote(system, remote.Configure("127.0.0.1", 0))
	r.Start()
	return system, r
}

// TestShippedUnknown: a message of an unknown type ends a process with
// protoactor's remote; here it is an answer.
func TestShippedUnknown(t *testing.T) {
	if out := runShipped(t, "unknown"); !strings.Contains(out, "panic:") || !strings.Contains(out, "endpointReader") {
		t.Errorf("the shipped remote did not crash: has it been mended? %s", out)
	}
	w := newWorld(t)
	_, conn := w.plain(&handler{})
	unknown := &messages.Frames{Frames: []*messages.Frame{{Id: 1}, {Id: 2, Body: &messages.Frame_Beat{Beat: &messages.Beat{}}}}}
	unknown.Frames[0].ProtoReflect().SetUnknown([]byte{0xfa, 0x7f, 1, 'x'})
	stream, err := conn.NewStream(w.ctx, peer.ExchangeDesc(), peer.ExchangeMethod)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = stream.SendMsg(greet(w.hello())), stream.SendMsg(unknown)
	for heard := (&messages.Frames{}); len(heard.GetFrames()) == 0 || heard.GetFrames()[0].GetBeat() == nil; {
		if err := stream.RecvMsg(heard); err != nil {
			t.Fatalf("after an unknown frame: %v", err)
		}
	}
}

func shippedUnknown() error {
	system, _ := newShipped()
	conn, err := grpc.NewClient("passthrough:///"+system.Address(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	stream, err := remote.NewRemotingClient(conn).Receive(context.Background())
	if err != nil {
		return err
	}
	err = stream.Send(&remote.RemoteMessage{MessageType: &remote.RemoteMessage_MessageBatch{MessageBatch: &remote.MessageBatch{
		TypeNames: []string{"troupe.FromTheFuture"},
		Targets:   []*actor.PID{actor.NewPID(system.Address(), "x")},
		Envelopes: []*remote.MessageEnvelope{{MessageData: []byte{}, SerializerId: 0}},
	}}})
	if err != nil {
		return err
	}
	_, err = stream.Recv() // the crash comes first
	fmt.Println("survived:", err)
	return nil
}

const (
	burst        = 3000
	burstPayload = 5 << 10
)

// TestShippedBatch: of a burst of small messages protoactor's remote loses most,
// as what it puts together is too large for its own receiver; here all arrive.
func TestShippedBatch(t *testing.T) {
	if out := runShipped(t, "batch"); !strings.Contains(out, errLost.Error()) {
		t.Errorf("the shipped remote lost nothing: has it been mended? %s", out)
	}
	w := newWorld(t)
	var arrived atomic.Int64
	b := w.node("b", &handler{call: func(_ peer.Identity, e *messages.Envelope, answer func(*messages.Reply)) {
		if answer != nil {
			answer(&messages.Reply{})
			return
		}
		arrived.Add(1)
	}})
	a := w.node("a", &handler{})
	told := ask(string(make([]byte, burstPayload)))
	told.Tell = true
	for range burst {
		a.Send(b.Self(), told, nil)
	}
	if _, err := a.Call(w.ctx, b.Self(), ask("are they there")); err != nil || arrived.Load() != burst {
		t.Errorf("%d of %d arrived, %v", arrived.Load(), burst, err)
	}
}

func shippedBatch() error {
	a, _ := newShipped()
	b, _ := newShipped()
	var arrived atomic.Int64
	last := make(chan struct{}, burst)
	pid := b.Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
		if e, ok := c.Message().(*messages.Envelope); ok && len(e.GetPayload()) > 0 {
			arrived.Add(1)
		} else if ok {
			last <- struct{}{}
		}
	}))
	for range burst {
		a.Root.Send(pid, &messages.Envelope{Payload: make([]byte, burstPayload)})
	}
	again := time.NewTicker(50 * time.Millisecond)
	for { // until its connection stands again
		a.Root.Send(pid, &messages.Envelope{})
		select {
		case <-last:
			if n := arrived.Load(); n != burst {
				return fmt.Errorf("%w: %d of %d arrived", errLost, n, burst)
			}
			return nil
		case <-again.C:
		}
	}
}
