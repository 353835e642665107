package cluster_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/clustertest"
	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/messages"
)

// front answers with what it was asked, and who asked it for what.
type front struct{ asked []proto.Message }

func (f *front) Answer(ctx context.Context, m proto.Message) (proto.Message, error) {
	f.asked = append(f.asked, m)
	if o, ok := m.(*messages.OrderInstance); ok && o.Name == "panic" {
		panic("in a test")
	}
	return &messages.InstanceView{Name: cluster.RequestID(ctx)}, nil
}

// sent is what a client's message is answered with.
func sent(t *testing.T, n *cluster.Node, from peer.Identity, kind, id string, m proto.Message) *messages.Reply {
	t.Helper()
	payload, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan *messages.Reply, 1)
	n.Call(from, &messages.Envelope{
		Kind: kind, Id: id, Method: string(m.ProtoReflect().Descriptor().FullName()), Payload: payload, RequestId: "req-1",
		TimeoutMs: time.Second.Milliseconds(),
	}, func(r *messages.Reply) { got <- r })
	return <-got
}

// TestClientsMay: what clients may send, and what not, whichever node owns what it
// is for.
func TestClientsMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newNodes(t, clustertest.Config{}, counterKind())
		c.start("a", "b")
		n, f := c.all["a"], &front{}
		if r := sent(t, n, peer.Identity{Role: peer.RoleClient, Name: "shop"}, "cloud", "", &messages.GetFlavors{}); !r.Moved {
			t.Errorf("before there is a front: %v", r)
		}
		n.ServeClients(f)
		operator := peer.Identity{Role: peer.RoleClient, Name: "shop"}
		reader := peer.Identity{Role: peer.RoleClient, Name: "shop", Reader: true}
		project := peer.Identity{Role: peer.RoleClient, Name: "shop", Project: "p"}
		node := peer.Identity{Role: peer.RoleNode, Name: "b", Member: "b-2"}
		const denied, invalid = messages.ErrorKind_ERROR_KIND_DENIED, messages.ErrorKind_ERROR_KIND_INVALID
		for _, tt := range []struct {
			name     string
			from     peer.Identity
			kind, id string
			m        proto.Message
			want     messages.ErrorKind
		}{
			{"a query of a grain", operator, "counter", "1", &messages.GetQuota{}, 0},
			{"of another node's", operator, "counter", "2", &messages.GetQuota{}, 0},
			{"a fact", operator, "counter", "1", &messages.DriverDone{}, denied},
			{"bookkeeping of the quota", operator, "counter", "1", &messages.ReleaseQuota{}, denied},
			{"the same by a node", node, "counter", "1", &messages.ReleaseQuota{InstanceId: "x"}, 0},
			{"a nudge", operator, "counter", "1", &messages.Nudged{}, denied},
			{"what hosts answer", operator, "counter", "1", &messages.HostsAnswered{}, denied},
			{"how a node is", operator, "node", "a", &messages.GetNodeStatus{}, 0},
			{"how another node is", operator, "node", "b", &messages.GetNodeStatus{}, 0},
			{"where a grain is", operator, "node", "a", &messages.GetWhereabouts{Kind: "counter", Id: "1"}, 0},
			{"drain", operator, "node", "a", &messages.DrainNode{}, denied},
			{"drain another", operator, "node", "b", &messages.DrainNode{}, denied},
			{"leave", operator, "node", "a", &messages.LeaveNode{}, denied},
			{"a node's watch", operator, "node", "a", &messages.WatchGrains{}, denied},
			{"who is there", project, "cloud", "", &messages.GetMembers{}, 0},
			{"an order", operator, "cloud", "", &messages.OrderInstance{}, 0},
			{"an order that breaks the front", operator, "cloud", "", &messages.OrderInstance{Name: "panic"}, messages.ErrorKind_ERROR_KIND_INTERNAL},
			{"a reader asks", reader, "counter", "1", &messages.GetQuota{}, 0},
			{"a reader orders", reader, "cloud", "", &messages.OrderInstance{}, denied},
			{"a reader sets", reader, "counter", "1", &messages.SetQuota{}, denied},
			{"a project's order", project, "cloud", "", &messages.OrderInstance{}, 0},
			{"an order for another", project, "cloud", "", &messages.OrderInstance{ProjectId: "q"}, denied},
			{"a whole command of a project", project, "instance", "i", &messages.CreateInstance{Id: "i"}, denied},
			{"a project asks for quota", project, "counter", "1", &messages.GetQuota{}, denied},
			{"a project asks for a node", project, "node", "a", &messages.GetNodeStatus{}, denied},
			{"no message of ours", operator, "counter", "1", &messages.Envelope{}, denied},
			{"the kind does not take it", operator, "counter", "1", &messages.GetHost{}, invalid},
		} {
			if r := sent(t, n, tt.from, tt.kind, tt.id, tt.m); r.Error != tt.want || r.Moved {
				t.Errorf("%s: got %v", tt.name, r)
			}
		}
		long := make(chan *messages.Reply, 1)
		n.Call(operator, &messages.Envelope{Kind: "counter", Id: "1", Method: "troupe.GetQuota", RequestId: strings.Repeat("x", 1000)}, func(r *messages.Reply) { long <- r })
		if r := <-long; r.Error != invalid {
			t.Errorf("a long request id: %v", r)
		}
		last := f.asked[len(f.asked)-1]
		if want := (&messages.OrderInstance{Scope: "p", ProjectId: "p", UserId: "client:shop"}); !proto.Equal(last, want) {
			t.Errorf("the front was asked %v, want %v", last, want)
		}
		v := &messages.InstanceView{}
		if r := sent(t, n, operator, "cloud", "", &messages.GetImages{}); proto.Unmarshal(r.Payload, v) != nil || v.Name != "req-1" {
			t.Errorf("answered %v", r)
		}
		members := &messages.MembersView{}
		if r := sent(t, n, operator, "cloud", "", &messages.GetMembers{}); proto.Unmarshal(r.Payload, members) != nil || len(members.Members) != 2 {
			t.Errorf("members: %v", r)
		}
		c.close()
	})
}
