package cluster_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/messages"
)

// readings counts what is read of a store.
type readings struct {
	store.Store
	many atomic.Int64
}

func (r *readings) Get(ctx context.Context, key string) (store.Item, error) {
	r.many.Add(1)
	return r.Store.Get(ctx, key)
}

// madeKind is a counter that its counts, and what it refuses, make.
func madeKind() actors.Kind {
	return actors.Spec[counter]{
		Name: "counter", Step: stepCounter,
		Makes: func(m actors.Message) bool {
			switch m.(type) {
			case *messages.ReleaseQuota, *messages.ResetQuota:
				return true
			}
			return false
		},
		Tables: func(c *counter) map[string]actors.Rows { return map[string]actors.Rows{"rows": &c.Rows} },
	}.Kind()
}

// TestWhatIsMadeIsNotRead: the first commit alone says that nothing was there.
func TestWhatIsMadeIsNotRead(t *testing.T) {
	s := &readings{Store: mem.New()}
	n := start(t, s, madeKind())
	before := s.many.Load()
	if got := mustCount(t, n, "a", "x"); got != 1 {
		t.Errorf("n=%d", got)
	}
	if got := mustRead(t, n, "a"); got["x"] != 1 {
		t.Errorf("%v", got)
	}
	if got := s.many.Load() - before; got != 0 {
		t.Errorf("the store was read %d times", got)
	}
}

// TestMadeTwice: what is there after all is read, and nothing of it is lost.
func TestMadeTwice(t *testing.T) {
	s := &readings{Store: mem.New()}
	n := start(t, s, madeKind())
	mustCount(t, n, "a", "x")
	stop(t, n)
	n = start(t, s, madeKind())
	if got := mustCount(t, n, "a", "y"); got != 2 {
		t.Errorf("n=%d", got)
	}
	if got := mustRead(t, n, "a"); got["n"] != 2 || got["x"] != 1 || got["y"] != 1 {
		t.Errorf("%v", got)
	}
	if n.Client().Stats().Stale != 1 {
		t.Error("nothing was taken for new: the test has tested nothing")
	}
}

// TestWhatIsSaidIsRead: without a commit behind it nothing is said that was not read.
func TestWhatIsSaidIsRead(t *testing.T) {
	for name, first := range map[string]func(t *testing.T, n *cluster.Node){
		"a refusal": func(t *testing.T, n *cluster.Node) {
			if _, err := n.Client().Ask(t.Context(), counterRef("a"), &messages.ResetQuota{}); !errors.Is(err, messages.Conflict) {
				t.Error(err)
			}
		},
		"another message": func(t *testing.T, n *cluster.Node) {
			if got := mustRead(t, n, "a"); got["n"] != 1 {
				t.Errorf("%v", got)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &readings{Store: mem.New()}
			n := start(t, s, madeKind())
			mustCount(t, n, "a", "x")
			stop(t, n)
			n = start(t, s, madeKind())
			before := s.many.Load()
			first(t, n)
			if s.many.Load() == before {
				t.Error("nothing was read")
			}
			if got := mustCount(t, n, "a", "x"); got != 2 {
				t.Errorf("n=%d", got)
			}
			if n.Client().Stats().Stale != 0 {
				t.Error("an activation that has read was stale")
			}
		})
	}
}

// TestNobodyHearsOfTheUnproved: while the first commit is under way, however long
// that takes, queries wait for it; if somebody else was first, they hear of that.
func TestNobodyHearsOfTheUnproved(t *testing.T) {
	s := mem.New()
	other := start(t, s, counterKind())
	g := newGate(s)
	g.shut()
	n := startWith(t, cluster.Config{Name: "n2", Store: g, Kinds: []actors.Kind{madeKind()}, SlowCommit: time.Millisecond})
	made := make(chan error, 1)
	go func() {
		_, err := n.Client().Ask(context.Background(), counterRef("a"), count("y"))
		made <- err
	}()
	<-g.entered
	looks := make(chan map[string]int64, 2)
	for range cap(looks) {
		go func() {
			v, err := cluster.Ask[*messages.QuotaView](context.Background(), n.Client(), counterRef("a"), &messages.GetQuota{})
			if err != nil {
				t.Error(err)
			}
			looks <- v.GetUsed()
		}()
	}
	if got := mustCount(t, other, "a", "x"); got != 1 {
		t.Fatalf("n=%d", got)
	}
	if len(looks)+len(made) > 0 {
		t.Fatal("somebody was answered before anything was proved")
	}
	g.open()
	for range cap(looks) {
		if got := <-looks; got["x"] != 1 {
			t.Errorf("%v", got)
		}
	}
	if err := <-made; err != nil {
		t.Error(err)
	}
	if got := mustRead(t, n, "a"); got["n"] != 2 || got["x"] != 1 || got["y"] != 1 {
		t.Errorf("%v", got)
	}
}

// TestMadeWhenTheStoreIsBack: a first commit of which nothing was decided is none.
func TestMadeWhenTheStoreIsBack(t *testing.T) {
	for name, failure := range map[string]error{"undecided": store.ErrUndecided, "unknown": store.ErrUnknown} {
		t.Run(name, func(t *testing.T) {
			g := newGate(mem.New())
			n := start(t, g, madeKind())
			g.fail(once(failure), nil)
			if got := mustCount(t, n, "a", "x"); got != 1 {
				t.Errorf("n=%d", got)
			}
		})
	}
}
