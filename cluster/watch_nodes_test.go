package cluster_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/clustertest"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/cluster/watch"
	"github.com/troupe-cloud/troupe/messages"
)

func sees(t *testing.T, c <-chan watch.Change) int64 {
	t.Helper()
	select {
	case change := <-c:
		if change.Err != nil {
			t.Fatal(change.Err)
		}
		return change.Answer.(*messages.QuotaView).Used["n"]
	case <-time.After(20 * time.Second): // of the bubble's clock
		t.Fatal("nothing was seen")
		return 0
	}
}

// TestWatchHere: in a single process every change is seen, and each is fetched
// once however many watch.
func TestWatchHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := start(t, mem.New())
		ctx, cancel := context.WithCancel(t.Context())
		var all []<-chan watch.Change
		for range 10 {
			c, err := n.Client().Watch(ctx, counterRef("a"), &messages.GetQuota{})
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, c)
		}
		for want := range int64(4) {
			for _, c := range all {
				if got := sees(t, c); got != want {
					t.Errorf("saw %d, want %d", got, want)
				}
			}
			mustCount(t, n, "a", "x")
			time.Sleep(time.Second)
		}
		if got := n.Client().Stats().Steps; got > 20 {
			t.Errorf("%d messages for 4 states and 10 watchers", got)
		}
		cancel()
		synctest.Wait()
		for range all[0] { // it is closed
		}
		stop(t, n)
	})
}

// TestWatchUnderFaults: whatever happens to nodes and messages, each watcher on
// a node that lives sees the last state, soon.
func TestWatchUnderFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newNodes(t, clustertest.Config{Seed: 9, Delay: 2 * time.Millisecond, ViewDelay: 20 * time.Millisecond, Loss: 0.05}, counterKind())
		c.start("a", "b", "c", "d")
		ctx, cancel := context.WithCancel(t.Context())
		const many = 20
		seen := map[string]<-chan watch.Change{}
		for i := range many {
			for _, name := range []string{"a", "b"} {
				ch, err := c.all[name].Client().Watch(ctx, counterRef(fmt.Sprint(i)), &messages.GetQuota{})
				if err != nil {
					t.Fatal(err)
				}
				seen[fmt.Sprintf("%s/%d", name, i)] = ch
			}
		}
		random := rand.New(rand.NewPCG(9, 9))
		counted := make([]int64, many)
		for round := range 8 {
			switch round {
			case 1:
				c.startAs("e", view.AllRoles)
			case 2:
				c.kill("c")
			case 3:
				c.stop("d")
			case 4:
				c.world.Evict("a") // it watches under another id from then on
			case 5:
				c.world.Pause("e")
				time.Sleep(3 * time.Second)
				c.world.Resume("e")
			}
			for range 60 {
				i := random.IntN(many)
				counted[i] = mustCount(t, c.all["b"], fmt.Sprint(i), "x")
			}
			time.Sleep(8 * time.Second)
			for key, ch := range seen {
				var name string
				var i int
				_, _ = fmt.Sscanf(key, "%1s/%d", &name, &i)
				last := int64(-1)
				select {
				case change := <-ch:
					last = change.Answer.(*messages.QuotaView).Used["n"]
				default: // nothing since the round before
					continue
				}
				if last != counted[i] {
					t.Errorf("round %d: the watcher %s saw %d, want %d", round, key, last, counted[i])
				}
			}
		}
		cancel()
		c.close()
	})
}

// TestWatchABA: a change and its reverse are seen as a change.
func TestWatchABA(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newNodes(t, clustertest.Config{Seed: 2}, registerKind())
		c.start("a", "b")
		ctx, cancel := context.WithCancel(t.Context())
		for name, n := range c.all {
			changes, err := n.Client().Watch(ctx, registerRef("r"), &messages.GetQuota{})
			if err != nil {
				t.Fatal(err)
			}
			first := <-changes
			for _, what := range []string{"w/1", "v/1", "w/2"} {
				write(t, n, name+what)
			}
			time.Sleep(time.Second)
			if second := <-changes; second.Version <= first.Version {
				t.Errorf("after two writes version %d, before %d", second.Version, first.Version)
			}
		}
		cancel()
		c.close()
	})
}

func write(t *testing.T, n *cluster.Node, what string) {
	t.Helper()
	if _, err := n.Client().Ask(t.Context(), registerRef("r"), &messages.ReleaseQuota{InstanceId: what}); err != nil {
		t.Fatal(err)
	}
}
