package client

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// offline is a client that has watched through a node and whose dialer is closed.
func offline(t testing.TB) (c *Client, changes <-chan Change, begun *watch) {
	t.Helper()
	d, err := peer.NewDialer(peer.Config{Self: view.Member{Name: "shop"}, Role: peer.RoleClient, Cluster: "c"})
	if err != nil {
		t.Fatal(err)
	}
	_ = d.Close()
	c = &Client{dialer: d, nodes: newNodes([]string{"a:1", "b:1"})}
	c.watches = newWatches(c)
	if changes, err = c.Watch(t.Context(), "k", "i", &messages.GetQuota{}); err != nil {
		t.Fatal(err)
	}
	c.watches.begin(c.nodes.pick())
	return c, changes, c.watches.all[1]
}

func said(t testing.TB, n int64) []byte {
	t.Helper()
	m := &messages.QuotaView{Used: map[string]int64{"n": n}}
	payload, err := proto.Marshal(m)
	if err == nil {
		payload, err = proto.Marshal(&messages.Reply{Method: messages.NameOf(m), Payload: payload})
	}
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// TestRounds: what a node says of an earlier round counts no more; the same state
// twice is one; who reads late sees the last.
func TestRounds(t *testing.T) {
	c, changes, one := offline(t)
	w, a := c.watches, peer.Identity{Role: peer.RoleNode, Name: "a"}
	first := one.id()
	say := func(id string, n int64) {
		w.Notice(a, &messages.Notice{Topic: watchTopic, Id: id, Payload: said(t, n)})
	}
	seen := func() int64 {
		select {
		case change := <-changes:
			return change.Answer.(*messages.QuotaView).Used["n"]
		default:
			return -1
		}
	}
	say(first, 1)
	say(first, 2)
	if got := seen(); got != 2 {
		t.Errorf("saw %d, want the last", got)
	}
	say(first, 2)
	w.Gone(peer.Identity{Role: peer.RoleNode, Name: "b"}) // another's stream
	say(first, 3)
	if got := seen(); got != 3 {
		t.Errorf("saw %d after somebody else's stream has ended", got)
	}
	w.Gone(a)
	say(first, 4)
	w.begin(c.nodes.pick())
	say(first, 5)
	if got := seen(); got != -1 {
		t.Errorf("saw %d of an earlier round", got)
	}
	say(one.id(), 3)
	if got := seen(); got != -1 {
		t.Errorf("saw %d again", got)
	}
	w.Notice(a, &messages.Notice{Topic: watchTopic, Id: one.id(), End: true}) // it stops
	if w.at != nil || c.nodes.pick().address != "b:1" {
		t.Errorf("still with %v", w.at)
	}
	w.begin(c.nodes.pick())
	refusal, _ := proto.Marshal(&messages.Reply{Error: messages.ErrorKind_ERROR_KIND_DENIED, Message: "no"})
	w.Notice(peer.Identity{Name: "b"}, &messages.Notice{Topic: watchTopic, Id: one.id(), End: true, Payload: refusal})
	if change, open := <-changes; !open || !errors.Is(change.Err, messages.Denied) {
		t.Errorf("got %+v", change)
	}
	if _, open := <-changes; open || w.len() != 0 {
		t.Error("what was refused goes on")
	}
}

func FuzzNotice(f *testing.F) { // a node may be newer, or broken
	f.Add("watch", "1.1", []byte{}, false)
	f.Add("watch", "1.1", said(f, 1), true)
	f.Add("watch", "1.18446744073709551616", []byte{8}, false)
	f.Add("news", "", []byte("x"), true)
	f.Fuzz(func(t *testing.T, topic, id string, payload []byte, end bool) {
		c, changes, _ := offline(t)
		c.watches.Notice(peer.Identity{Name: "a"}, &messages.Notice{Topic: topic, Id: id, Payload: payload, End: end})
		select {
		case change, open := <-changes:
			if open && (change.Answer == nil) == (change.Err == nil) {
				t.Errorf("got %+v", change)
			}
		default:
		}
	})
}
