package identity

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/messages"
)

// counting counts what is asked about access, and can hold the answers back.
type counting struct {
	cluster.Asker
	asked atomic.Int64
	hold  chan struct{} // nil: answers go at once
}

func (c *counting) Ask(ctx context.Context, to actors.Ref, m proto.Message) (proto.Message, error) {
	if _, ok := m.(*messages.GetAccess); ok {
		c.asked.Add(1)
		if c.hold != nil {
			<-c.hold
		}
	}
	return c.Asker.Ask(ctx, to, m)
}

// counted puts a counter between the gateway and the node.
func (c *cloud) counted() *counting {
	n := &counting{Asker: c.client}
	c.is.cfg.Client = n
	return n
}

func TestSessionsAreRemembered(t *testing.T) {
	c := newCloud(t)
	token := c.adminToken()
	n := c.counted()
	check := func(want int64, why string) {
		t.Helper()
		if _, err := c.is.Authenticate(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		if got := n.asked.Load(); got != want {
			t.Errorf("%s: asked %d times, want %d", why, got, want)
		}
	}
	check(1, "at first")
	check(1, "again")
	c.offset.Store(int64(DefaultRecheck + time.Second))
	check(2, "after the recheck time")
	c.want(201, "POST", "/v3/roles", token, `{"role":{"name":"r"}}`)
	check(3, "after a change from here")
}

func TestManyAskOnce(t *testing.T) {
	c := newCloud(t)
	token := c.adminToken()
	n := c.counted()
	n.hold = make(chan struct{})
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := c.is.Authenticate(context.Background(), token); err != nil {
				t.Error(err)
			}
		})
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.is.Authenticate(gone, token); err == nil {
		t.Error("a request that has ended was let in")
	}
	n.hold <- struct{}{} // whoever comes later finds the session in memory
	close(n.hold)
	all.Wait()
	if got := n.asked.Load(); got > 2 {
		t.Errorf("asked %d times", got)
	}
}

func TestCacheIsBounded(t *testing.T) {
	var c cache
	for n := range 3 * cacheSize {
		c.put(string(rune(n)), &session{})
		c.put("kept", &session{})
		if c.get("kept") == nil {
			t.Fatal("what is in use was forgotten")
		}
	}
	if got := len(c.young) + len(c.old); got > 2*cacheSize {
		t.Errorf("%d sessions", got)
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	c := newCloud(b)
	token := c.adminToken()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.is.Authenticate(context.Background(), token); err != nil {
				b.Error(err)
			}
		}
	})
}
