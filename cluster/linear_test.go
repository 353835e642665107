package cluster_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/clustertest"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

var (
	faultSeeds = flag.Int("fault.seeds", 3, "how many histories of faults to run")
	faultSeed  = flag.Uint64("fault.seed", 1, "the first of them")
)

// register holds the value written last, "writer/number". A write that is stepped
// twice is not harmless: in between others may have written. That it is done once is
// the shell's promise.
type register struct {
	Rows actors.Table[string] `json:"-"` // the value is one, which also comes by copy
}

func stepRegister(s register, in actors.Input) (register, []actors.Effect, error) {
	switch m := in.Message.(type) {
	case *messages.ReleaseQuota:
		s.Rows = s.Rows.Set("value", m.InstanceId)
		return s, nil, nil
	case *messages.GetQuota:
		value, _ := s.Rows.Get("value")
		return s, []actors.Effect{actors.Reply{Message: &messages.ConsoleView{Output: []byte(value)}}}, nil
	}
	return s, nil, nil
}

func registerKind() actors.Kind {
	return actors.Spec[register]{
		Name: "register", Step: stepRegister,
		Tables: func(r *register) map[string]actors.Rows { return map[string]actors.Rows{"rows": &r.Rows} },
	}.Kind()
}

func registerRef(id string) actors.Ref { return actors.Ref{Kind: "register", ID: id} }

// operation is one read or write as a client saw it; read: Wrote is empty.
type operation struct{ Key, Wrote string }

var registerModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[string][]porcupine.Operation{}
		for _, o := range history {
			key := o.Input.(operation).Key
			byKey[key] = append(byKey[key], o)
		}
		return slices.Collect(maps.Values(byKey))
	},
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		if in := input.(operation); in.Wrote != "" {
			return true, in.Wrote
		}
		return output.(string) == state.(string), state
	},
	Equal: func(a, b any) bool { return a == b },
}

// history is what clients saw. Its clock only counts: nothing is simultaneous.
type history struct {
	clock atomic.Int64
	mu    sync.Mutex
	done  []porcupine.Operation

	slowest time.Duration
	failed  int
}

// run does one operation. A write whose outcome is not known may take effect
// until the end of time.
func (h *history) run(client int, n *cluster.Node, o operation) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ref := registerRef(o.Key)
	var ask actors.Message = &messages.GetQuota{}
	if o.Wrote != "" {
		ask = &messages.ReleaseQuota{InstanceId: o.Wrote}
	}
	called, began := h.clock.Add(1), time.Now()
	m, err := n.Client().Ask(ctx, ref, ask)
	returned := h.clock.Add(1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.slowest = max(h.slowest, time.Since(began))
	op := porcupine.Operation{ClientId: client, Input: o, Call: called, Return: returned}
	if err != nil {
		if h.failed++; o.Wrote == "" {
			return
		}
		op.Return = 1 << 62
	}
	if v, ok := m.(*messages.ConsoleView); ok {
		op.Output = string(v.Output)
	}
	h.done = append(h.done, op)
}

// check says whether the history could have been one of single registers.
func (h *history) check(t *testing.T) {
	t.Helper()
	result, info := porcupine.CheckOperationsVerbose(registerModel, h.done, time.Minute)
	if result == porcupine.Ok {
		return
	}
	t.Errorf("the history of %d operations is not linearizable: %v", len(h.done), result)
	if f, err := os.CreateTemp("", "history-*.html"); err == nil {
		_ = porcupine.Visualize(registerModel, info, f)
		t.Logf("drawn in %s", f.Name())
		_ = f.Close()
	}
}

const registers = 8

// load is clients that read and write registers through every node that lives.
type load struct {
	nodes *nodes
	saw   history
	wg    sync.WaitGroup
	done  chan struct{}
}

func startLoad(c *nodes, seed uint64, clients int, think time.Duration) *load {
	l := &load{nodes: c, done: make(chan struct{})}
	for i := range clients {
		random := rand.New(rand.NewPCG(seed, uint64(100+i)))
		l.wg.Go(func() { l.client(i, random, think) })
	}
	return l
}

func (l *load) client(i int, random *rand.Rand, think time.Duration) {
	for number := 1; ; number++ {
		select {
		case <-l.done:
			return
		case <-time.After(time.Duration(random.Int64N(int64(think)))):
		}
		o := operation{Key: fmt.Sprint(random.IntN(registers))}
		if random.IntN(2) == 0 {
			o.Wrote = fmt.Sprintf("%d/%d", i, number)
		}
		l.saw.run(i, l.nodes.any(random), o)
	}
}

// end stops the clients and checks what they saw.
func (l *load) end(t *testing.T) {
	t.Helper()
	close(l.done)
	l.wg.Wait()
	t.Logf("%d operations, %d failed, the slowest took %v", len(l.saw.done), l.saw.failed, l.saw.slowest)
	l.saw.check(t)
}

// TestFaults: clients read and write while nodes die, stop for seconds, are cut
// off both ways or one way, are evicted for no reason, leave and come back. What
// they see is what single registers would have shown.
func TestFaults(t *testing.T) {
	for i := range *faultSeeds {
		seed := *faultSeed + uint64(i)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { faults(t, seed) })
		})
	}
}

func faults(t *testing.T, seed uint64) {
	c := newNodes(t, clustertest.Config{
		Seed: seed, Delay: 3 * time.Millisecond, ViewDelay: 40 * time.Millisecond, Loss: 0.002,
	}, registerKind())
	c.start("a", "b", "c", "d", "e")
	think := 60 * time.Millisecond
	if seed%2 == 0 { // more is done than a grain remembers
		think = 12 * time.Millisecond
	}
	l := startLoad(c, seed, 8, think)
	random := rand.New(rand.NewPCG(seed, 7))
	within := func(low, high time.Duration) time.Duration {
		return low + time.Duration(random.Int64N(int64(high-low)))
	}
	for range 12 {
		time.Sleep(within(0, 3*time.Second))
		name := string(rune('a' + random.IntN(5)))
		long := within(100*time.Millisecond, 6*time.Second)
		what := random.IntN(7)
		switch what {
		case 0:
			c.kill(name)
			time.Sleep(long)
			c.startAs(name, view.AllRoles)
		case 1:
			c.world.Pause(name)
			time.Sleep(long)
			c.world.Resume(name)
		case 2, 3:
			c.world.Isolate(name, what == 2)
			time.Sleep(long)
			c.world.Reunite(name)
		case 4:
			other := string(rune('a' + random.IntN(5)))
			c.world.Cut(name, other)
			time.Sleep(long)
			c.world.Mend(name, other)
		case 5:
			c.world.Evict(name)
		case 6:
			c.stop(name)
			time.Sleep(long)
			c.startAs(name, view.AllRoles)
		}
		t.Logf("fault %d at %s for %v", what, name, long)
	}
	time.Sleep(5 * time.Second)
	c.settle()
	for i := range registers {
		for name, n := range c.all {
			if _, err := n.Client().Ask(t.Context(), registerRef(fmt.Sprint(i)), &messages.GetQuota{}); err != nil {
				t.Errorf("after all, node %s and register %d: %v", name, i, err)
			}
		}
	}
	l.end(t)
	c.close()
}
