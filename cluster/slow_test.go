package cluster_test

import (
	"errors"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/messages"
)

// TestReadsGoOnWithoutTheStore: while the store does not answer, what is durable
// is read; once it says that nothing was decided, who wanted a change is told, and
// the same activation goes on from the state before.
func TestReadsGoOnWithoutTheStore(t *testing.T) {
	g := newGate(mem.New())
	n := startWith(t, cluster.Config{Name: "n1", Store: g, Kinds: []actors.Kind{counterKind()}, SlowCommit: time.Millisecond})
	mustCount(t, n, "a", "x") // n=1
	<-g.entered
	g.fail(once(store.ErrUndecided), nil)
	g.shut()
	writes := inOrder(n, counterRef("a"), count("x"), count("y"))
	<-g.entered // the first is in flight, the second behind it
	for range 2 {
		got, err := cluster.Ask[*messages.QuotaView](t.Context(), n.Client(), counterRef("a"), &messages.GetQuota{})
		if err != nil || got.Used["n"] != 1 || got.Used["x"] != 1 || got.Used["y"] != 0 {
			t.Fatalf("read while the store does not answer: %v, %v", got, err)
		}
	}
	if len(writes) != 0 {
		t.Fatalf("a change was answered that is not durable: %s", <-writes)
	}
	g.open()
	for range 2 {
		if got := <-writes; got != "0: counter.a could not be saved: nothing was decided: unavailable" && got != "1: counter.a could not be saved: nothing was decided: unavailable" {
			t.Errorf("a change that was not decided: %q", got)
		}
	}
	mustCount(t, n, "a", "y")
	if got := mustRead(t, n, "a"); got["n"] != 2 || got["x"] != 1 || got["y"] != 1 {
		t.Errorf("afterwards: %v", got)
	}
	if s := n.Client().Stats(); s.Stale != 0 || s.Actors["counter"] != 1 {
		t.Errorf("the activation did not live on: %+v", s)
	}
}

// TestUndecidedIsNotUnknown: only what is certain not to have happened is taken
// back; of the rest the activation gives up, and the next one looks.
func TestUndecidedIsNotUnknown(t *testing.T) {
	g := newGate(mem.New())
	n := start(t, g)
	mustCount(t, n, "a", "x")
	g.fail(nil, once(store.ErrUnknown)) // it did happen
	_, err := cluster.Ask[*messages.QuotaView](t.Context(), n.Client(), counterRef("a"), count("x"))
	if err != nil && !errors.Is(err, messages.Unavailable) {
		t.Fatal(err)
	}
	got, err := cluster.Ask[*messages.QuotaView](t.Context(), n.Client(), counterRef("a"), &messages.GetQuota{})
	if err != nil || got.Used["x"] != 2 {
		t.Errorf("after a commit of unknown outcome: %v, %v", got, err)
	}
}
