package cluster_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/cluster/clustertest"
	"github.com/troupe-cloud/troupe/messages"
)

// TestEverywhere asks three nodes for what only each of them knows.
func TestEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newNodes(t, clustertest.Config{}, counterKind())
		defer c.close()
		c.start("a", "b", "c")
		for _, name := range []string{"a", "b"} {
			c.all[name].Client().Answer(&messages.GetSubscribers{}, func(_ context.Context, q proto.Message) (proto.Message, error) {
				asked := q.(*messages.GetSubscribers)
				return &messages.Subscribers{Subscribers: []*messages.Subscriber{{Client: name + " " + asked.GetName()}}}, nil
			})
		}
		c.all["b"].Client().Answer(&messages.GetRegistryClients{}, func(context.Context, proto.Message) (proto.Message, error) {
			panic("a broken part")
		})

		got := map[string]string{}
		for _, n := range c.all["a"].Client().Everywhere(t.Context(), &messages.GetSubscribers{Name: "orders"}) {
			if n.Err != nil {
				got[n.Node] = messages.KindOf(n.Err).String()
				continue
			}
			got[n.Node] = n.Answer.(*messages.Subscribers).GetSubscribers()[0].GetClient()
		}
		want := map[string]string{"a": "a orders", "b": "b orders", "c": "ERROR_KIND_INVALID"}
		for name, says := range want {
			if got[name] != says {
				t.Errorf("%s says %q, want %q", name, got[name], says)
			}
		}
		for _, n := range c.all["a"].Client().Everywhere(t.Context(), &messages.GetRegistryClients{}) {
			if n.Err == nil || n.Node == "b" && errors.Is(n.Err, messages.Invalid) {
				t.Errorf("%s: %v", n.Node, n.Err)
			}
		}
	})
}
