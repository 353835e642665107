package cluster_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/membership"
	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// real is a node over real connections on the loopback interface.
type real struct {
	*cluster.Node
	net *cluster.Connection
}

func (r real) stop(t testing.TB) {
	stop(t, r.Node)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := r.net.Close(ctx); err != nil {
		t.Error(err)
	}
}

func connect(t testing.TB, table *membership.Memory, name string, config cluster.Config) real {
	t.Helper()
	return connectQuietly(t, table, name, config, zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel))
}

func connectQuietly(t testing.TB, table *membership.Memory, name string, config cluster.Config, log zerolog.Logger) real {
	t.Helper()
	net, err := cluster.Connect(t.Context(),
		peer.Config{Cluster: "test", Bind: "127.0.0.1:0", Log: log},
		membership.Config{Table: table.As(name), Self: view.Member{Name: name, Roles: view.AllRoles}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	config.Name, config.Log, config.Network = name, log, net
	n, err := cluster.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return real{n, net}
}

// TestConnect: nodes over the real transport and membership, by our own client
// and by protoactor's.
func TestConnect(t *testing.T) {
	table, config := membership.NewMemory(0), cluster.Config{Store: mem.New(), Kinds: kindsOf()}
	var all []real
	for _, name := range []string{"a", "b", "c"} {
		all = append(all, connect(t, table, name, config))
	}
	const many = 30
	for round, n := range all {
		for i := range many {
			if got := mustCount(t, n.Node, fmt.Sprint(i), "x"); got != int64(round+1) {
				t.Fatalf("counter %d is at %d, want %d", i, got, round+1)
			}
		}
	}
	payload, err := proto.Marshal(count("x"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range many {
		got, err := cluster.Member(all[0].Node).Request(fmt.Sprint(i), "counter", &messages.Envelope{Method: "troupe.ReleaseQuota", Payload: payload})
		r, ok := got.(*messages.Reply)
		if err != nil || !ok || r.Error != 0 {
			t.Fatalf("protoactor's request of counter %d: %v, %v", i, got, err)
		}
	}
	for _, name := range []string{"0", "7", "29"} {
		if got := mustRead(t, all[2].Node, name)["n"]; got != 4 {
			t.Errorf("counter %s is at %d", name, got)
		}
	}
	if total := all[0].Client().Stats().Actors["counter"]; total == many {
		t.Error("all grains live on one node")
	}
	all[1].stop(t)
	for i := range many {
		if got := mustCount(t, all[0].Node, fmt.Sprint(i), "x"); got != 5 {
			t.Fatalf("after a leave counter %d is at %d", i, got)
		}
	}
	all[0].stop(t)
	all[2].stop(t)
	table.Close()
}
