package cluster_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/leaktest"
)

func TestMain(m *testing.M) {
	if os.Getenv(shippedEnv) != "" {
		shippedLookup()
	}
	cluster.CopyFrom(1)
	leaktest.Main(m)
}

// counter counts in its state and, by key, in a table. Its messages are
// borrowed: ReleaseQuota counts, GetQuota reads, ResetQuota is refused,
// SetQuota panics, CreatePort waits until DeletePort of the same id,
// CreateSubnet writes many rows at once.
type counter struct {
	N    int64
	Rows actors.Table[int64] `json:"-"`
}

func (c counter) view() actors.Reply {
	used := map[string]int64{"n": c.N}
	maps.Insert(used, c.Rows.All())
	return actors.Reply{Message: &messages.QuotaView{Used: used}}
}

func stepCounter(s counter, in actors.Input) (counter, []actors.Effect, error) {
	switch m := in.Message.(type) {
	case *messages.ReleaseQuota:
		n, _ := s.Rows.Get(m.InstanceId)
		s.N, s.Rows = s.N+1, s.Rows.Set(m.InstanceId, n+1)
		return s, []actors.Effect{s.view()}, nil
	case *messages.GetQuota:
		return s, []actors.Effect{s.view()}, nil
	case *messages.ResetQuota:
		return s, nil, fmt.Errorf("never: %w", messages.Conflict)
	case *messages.SetQuota:
		panic("as asked")
	case *messages.CreatePort:
		return s, []actors.Effect{actors.Defer{Key: m.Id}}, nil
	case *messages.DeletePort:
		return s, []actors.Effect{actors.Answer{Key: m.PortId, Message: &messages.Port{Id: m.PortId}}}, nil
	case *messages.CreateSubnet: // as many rows as the scope is long
		for i := range m.Scope {
			s.Rows = s.Rows.Set(fmt.Sprint(i), s.N)
		}
		s.N++
		return s, []actors.Effect{actors.Reply{Message: &messages.QuotaView{Used: map[string]int64{"n": s.N}}}}, nil
	case *messages.Activated, *messages.Nudged:
		return s, nil, nil
	}
	return s, nil, fmt.Errorf("a counter cannot take %T: %w", in.Message, messages.Invalid)
}

func counterKind() actors.Kind {
	return actors.Spec[counter]{
		Name: "counter", Step: stepCounter,
		Tables: func(c *counter) map[string]actors.Rows { return map[string]actors.Rows{"rows": &c.Rows} },
		Index: func(c counter) []actors.Entry {
			if c.N == 0 {
				return nil
			}
			return []actors.Entry{{Key: fmt.Sprintf("counter/%03d", c.N), Value: []byte{byte(c.N)}}}
		},
	}.Kind()
}

// ping has work outstanding from ClaimQuota until its pong comes back;
// CreatePort waits for that. Pings counts what it has sent.
type ping struct{ To string }

func stepPing(s ping, in actors.Input) (ping, []actors.Effect, error) {
	switch m := in.Message.(type) {
	case *messages.ClaimQuota:
		s.To = m.InstanceId
		return s, outstandingPing(s), nil
	case *messages.QuotaReleased:
		s.To = ""
		return s, []actors.Effect{actors.Answer{Key: "settled", Message: &messages.Done{}}}, nil
	case *messages.CreatePort:
		if s.To == "" {
			return s, nil, nil
		}
		return s, []actors.Effect{actors.Defer{Key: "settled"}}, nil
	}
	return s, outstandingPing(s), nil
}

func outstandingPing(s ping) []actors.Effect {
	if s.To == "" {
		return nil
	}
	return []actors.Effect{actors.Tell{To: actors.Ref{Kind: "pong", ID: s.To}, Message: &messages.ReleaseQuota{}}}
}

func pingKind() actors.Kind {
	return actors.Spec[ping]{Name: "ping", Step: stepPing, Outstanding: outstandingPing}.Kind()
}

// pong answers every ping, told to the ping of its own name.
func pongKind(heard chan<- time.Time) actors.Kind {
	return actors.Spec[struct{}]{Name: "pong", Volatile: true, Step: func(s struct{}, in actors.Input) (struct{}, []actors.Effect, error) {
		if _, ok := in.Message.(*messages.ReleaseQuota); !ok {
			return s, nil, nil
		}
		select {
		case heard <- in.Now:
		default:
		}
		return s, []actors.Effect{actors.Tell{To: actors.Ref{Kind: "ping", ID: in.ID}, Message: &messages.QuotaReleased{}}}, nil
	}}.Kind()
}

func kindsOf() []actors.Kind { return []actors.Kind{counterKind()} }

func counterRef(id string) actors.Ref { return actors.Ref{Kind: "counter", ID: id} }

func count(key string) *messages.ReleaseQuota { return &messages.ReleaseQuota{InstanceId: key} }

// start runs a node until the test ends.
func start(t testing.TB, s store.Store, kinds ...actors.Kind) *cluster.Node {
	t.Helper()
	if len(kinds) == 0 {
		kinds = []actors.Kind{counterKind()}
	}
	return startWith(t, cluster.Config{Name: "n1", Store: s, Kinds: kinds})
}

func startWith(t testing.TB, config cluster.Config) *cluster.Node {
	t.Helper()
	config.Log = zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)
	if config.SlowCommit == 0 {
		config.SlowCommit = time.Hour // a busy machine must not change the order of answers
	}
	n, err := cluster.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, n) })
	return n
}

func stop(t testing.TB, n *cluster.Node) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := n.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func mustCount(t testing.TB, n *cluster.Node, id, key string) int64 {
	t.Helper()
	v, err := cluster.Ask[*messages.QuotaView](t.Context(), n.Client(), counterRef(id), count(key))
	if err != nil {
		t.Fatal(err)
	}
	return v.Used["n"]
}

func mustRead(t testing.TB, n *cluster.Node, id string) map[string]int64 {
	t.Helper()
	v, err := cluster.Ask[*messages.QuotaView](t.Context(), n.Client(), counterRef(id), &messages.GetQuota{})
	if err != nil {
		t.Fatal(err)
	}
	return v.Used
}
