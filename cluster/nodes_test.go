package cluster_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/clustertest"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// nodes are several nodes in one process, over one store.
type nodes struct {
	t     testing.TB
	world *clustertest.World
	store store.Store
	kinds []actors.Kind
	log   zerolog.Logger

	mu   sync.Mutex
	all  map[string]*cluster.Node
	nets map[string]*clustertest.Net
}

func newNodes(t testing.TB, config clustertest.Config, kinds ...actors.Kind) *nodes {
	level := zerolog.WarnLevel
	if testing.Verbose() {
		level = zerolog.InfoLevel
	}
	return &nodes{
		t: t, world: clustertest.New(config), store: mem.New(), kinds: kinds,
		log: zerolog.New(zerolog.NewTestWriter(t)).Level(level),
		all: map[string]*cluster.Node{}, nets: map[string]*clustertest.Net{},
	}
}

// start adds nodes and waits until everybody has come to terms with them.
func (c *nodes) start(names ...string) {
	c.t.Helper()
	for _, name := range names {
		c.startAs(name, view.AllRoles)
	}
	c.settle()
}

func (c *nodes) startAs(name string, roles view.Role) *cluster.Node {
	c.t.Helper()
	return c.startOn(c.world.Join(name, roles), name)
}

func (c *nodes) startOn(net *clustertest.Net, name string) *cluster.Node {
	c.t.Helper()
	n, err := cluster.Start(c.t.Context(), cluster.Config{
		Name: name, Store: net.Store(c.store), Kinds: c.kinds, Log: c.log, Network: net, DrainTimeout: time.Second,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all[name], c.nets[name] = n, net
	return n
}

// take is a node that clients use no more.
func (c *nodes) take(name string) *cluster.Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.all[name]
	delete(c.all, name)
	return n
}

// any is one of the nodes.
func (c *nodes) any(random *rand.Rand) *cluster.Node {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := slices.Sorted(maps.Keys(c.all))
	return c.all[names[random.IntN(len(names))]]
}

func (c *nodes) settle() {
	for !c.world.Settled() {
		time.Sleep(time.Millisecond) // of the bubble's clock
	}
	synctest.Wait()
}

// stop has a node leave in order.
func (c *nodes) stop(name string) {
	stop(c.t, c.take(name))
}

// kill ends a node as kill -9 does, and clears away what is left of it.
func (c *nodes) kill(name string) {
	n := c.take(name)
	c.world.Kill(name)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_ = n.Stop(ctx) // it can neither leave nor save anything
}

// close ends all.
func (c *nodes) close() {
	for name := range c.all {
		c.stop(name)
	}
	c.world.Close()
}

func (c *nodes) owner(ref actors.Ref) string {
	m, ok := c.world.View().Owner(ref)
	if !ok {
		return ""
	}
	return m.Name
}

// TestNodes: whoever is asked, the same grain answers; what is shared out stays
// shared out when nodes come, leave and die.
func TestNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newNodes(t, clustertest.Config{Seed: 1, Delay: time.Millisecond, ViewDelay: 5 * time.Millisecond}, counterKind())
		c.start("a", "b", "c")
		const many = 60
		want := int64(0)
		countAll := func(when string) {
			t.Helper()
			for _, n := range c.all {
				want++
				for i := range many {
					if got := mustCount(t, n, fmt.Sprint(i), "x"); got != want {
						t.Fatalf("%s: counter %d is at %d, want %d", when, i, got, want)
					}
				}
			}
		}
		countAll("at first")
		for name, n := range c.all {
			if got := n.Client().Stats().Actors["counter"]; got < many/10 || got > many*2/3 {
				t.Errorf("node %s has %d of %d grains", name, got, many)
			}
		}
		c.start("d")
		countAll("after a join")
		c.stop("a")
		countAll("after a leave")
		c.kill("b")
		countAll("after a kill")
		total := int64(0)
		for _, n := range c.all {
			total += n.Client().Stats().Actors["counter"]
		}
		if total != many {
			t.Errorf("%d grains in memory, want %d", total, many)
		}
		c.close()
	})
}

// TestRemoteAnswers: errors, refusals and bad questions are the same from afar.
func TestRemoteAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newNodes(t, clustertest.Config{}, counterKind())
		c.start("a", "b")
		for name, n := range c.all {
			far := "0"
			for i := 0; c.owner(counterRef(far)) == name; i++ {
				far = fmt.Sprint(i)
			}
			for what, tt := range map[string]struct {
				m    actors.Message
				want messages.ErrorKind
			}{
				"a command":           {count("x"), 0},
				"refused by the step": {&messages.ResetQuota{}, messages.ErrorKind_ERROR_KIND_CONFLICT},
				"not its message":     {&messages.GetHost{}, messages.ErrorKind_ERROR_KIND_INVALID},
				"a panic":             {&messages.SetQuota{}, messages.ErrorKind_ERROR_KIND_INTERNAL},
			} {
				if _, err := n.Client().Ask(t.Context(), counterRef(far), tt.m); messages.KindOf(err) != tt.want {
					t.Errorf("%s: got %v, want %v", what, err, tt.want)
				}
			}
			if err := n.Client().Tell(t.Context(), counterRef(far), count("x")); err != nil {
				t.Error(err)
			}
		}
		c.close()
	})
}

// TestWorkGoesOnElsewhere: what a dead node had under way is taken up by the
// others within a second of their knowing, without being asked; nobody wakes
// what is another's.
func TestWorkGoesOnElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newNodes(t, clustertest.Config{Seed: 3, Delay: time.Millisecond}, pingKind()) // no pong: work stays
		c.start("a", "b", "c")
		const many = 300
		client := c.all["a"].Client()
		for i := range many {
			id := fmt.Sprint(i)
			if _, err := client.Ask(t.Context(), pingRef(id), &messages.ClaimQuota{InstanceId: id}); err != nil {
				t.Fatal(err)
			}
		}
		c.kill("b")
		for c.world.View().Has("b-2") {
			time.Sleep(time.Millisecond)
		}
		c.settle()
		time.Sleep(time.Second)
		total := int64(0)
		for _, n := range c.all {
			total += n.Client().Stats().Actors["ping"]
		}
		if total != many {
			t.Errorf("%d grains with work outstanding are in memory, want %d", total, many)
		}
		c.close()
	})
}

// TestLeaveUnderLoad: nobody who asks notices that a node leaves, or that one
// comes.
func TestLeaveUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newNodes(t, clustertest.Config{Seed: 4, Delay: time.Millisecond, ViewDelay: 20 * time.Millisecond}, registerKind())
		c.start("a", "b", "c")
		l := startLoad(c, 4, 12, 5*time.Millisecond)
		for range 3 {
			for _, name := range []string{"a", "b", "c"} {
				time.Sleep(50 * time.Millisecond)
				c.stop(name)
				time.Sleep(50 * time.Millisecond)
				c.startAs(name, view.AllRoles)
			}
		}
		l.end(t)
		if l.saw.failed > 0 {
			t.Errorf("%d requests failed", l.saw.failed)
		}
		if cluster.Copied(c.all["a"])+cluster.Copied(c.all["b"]) == 0 {
			t.Error("no grain came up from a copy")
		}
		c.close()
	})
}
