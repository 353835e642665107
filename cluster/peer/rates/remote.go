package rates

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/troupe-cloud/troupe/cluster/pki"
	"github.com/troupe-cloud/troupe/messages"
)

// rawTimeout is how long one raw request may take.
const rawTimeout = 5 * time.Second

// Remote measures the same as Peer with protoactor's own remote: an actor in one
// system asks one in another over loopback with mutual TLS. It silences gRPC's
// log, and leaves goroutines behind.
func Remote(ctx context.Context, callers int, during time.Duration) (callsPerSecond float64, p50 time.Duration, err error) {
	ca, err := pki.NewCA(rateCluster, time.Now())
	if err != nil {
		return 0, 0, err
	}
	var systems [2]*actor.ActorSystem
	for i := range systems {
		source, err := SelfIssued(ca, fmt.Sprint("raw-", i))
		if err != nil {
			return 0, 0, err
		}
		systems[i] = actor.NewActorSystemWithConfig(actor.Configure(
			actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.DiscardHandler) })))
		r := remote.NewRemote(systems[i], remote.Configure("127.0.0.1", 0,
			remote.WithServerOptions(pki.ServerOptions(source)...),
			remote.WithDialOptions(grpc.WithTransportCredentials(credentials.NewTLS(source.ClientConfig(""))))))
		r.Start()
		defer systems[i].Shutdown()
		defer r.Shutdown(false)
	}
	pid := systems[1].Root.Spawn(actor.PropsFromFunc(func(c actor.Context) {
		if e, ok := c.Message().(*messages.Envelope); ok {
			c.Respond(&messages.Reply{Method: e.GetMethod(), Payload: e.GetPayload()})
		}
	}))
	e := &messages.Envelope{Kind: "rate", Id: "0", Method: "troupe.Done", Payload: make([]byte, ratePayload)}
	return rateOf(ctx, callers, during, func() error {
		if _, err := systems[0].Root.RequestFuture(pid, e, rawTimeout).Result(); err != nil {
			return fmt.Errorf("raw request: %w", err)
		}
		return nil
	})
}
