package cluster_test

import (
	"sync"
	"testing"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/messages"
)

// looked is what a look at a counter shows; -1: it has to be asked.
func looked(t *testing.T, n *cluster.Node, id string) int64 {
	t.Helper()
	got, err, ok := n.Client().Look(counterRef(id), &messages.GetQuota{}, "")
	if !ok {
		return -1
	}
	if err != nil {
		t.Fatal(err)
	}
	return got.(*messages.QuotaView).Used["n"]
}

func TestLook(t *testing.T) {
	g := newGate(mem.New())
	n := start(t, g)
	want := func(when string, want int64) {
		t.Helper()
		if got := looked(t, n, "a"); got != want {
			t.Errorf("%s: a look shows %d, want %d", when, got, want)
		}
	}
	want("not in memory", -1)
	mustCount(t, n, "a", "x")
	<-g.entered
	want("nobody has read since the change", -1)
	mustRead(t, n, "a")
	cluster.Settle(n, counterRef("a"))
	want("read", 1)
	if _, _, ok := n.Client().Look(counterRef("a"), count("x"), ""); ok {
		t.Error("a command was done by a look")
	}

	g.shut()
	answers := inOrder(n, counterRef("a"), count("x"), &messages.GetQuota{})
	<-g.entered
	cluster.Settle(n, counterRef("a"))
	want("a commit in flight", -1)
	g.open()
	for range 2 {
		<-answers
	}
	cluster.Settle(n, counterRef("a"))
	want("a query that waited for the commit shows nothing", -1)
	mustRead(t, n, "a")
	cluster.Settle(n, counterRef("a"))
	want("read again", 2)

	if err := n.Client().Tell(t.Context(), counterRef("a"), count("x")); err != nil {
		t.Fatal(err)
	}
	if got := mustRead(t, n, "a")["n"]; got != 3 {
		t.Errorf("who has told reads %d, want 3", got)
	}
	stop(t, n)
	want("stopped", -1)
}

// TestLookIsNeverBehind has readers look while others write: nobody reads less than
// what was answered before he asked.
func TestLookIsNeverBehind(t *testing.T) {
	const writers, readers, each = 3, 3, 200
	n := start(t, mem.New())
	var mu sync.Mutex
	acknowledged := int64(0)
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each {
				got := mustCount(t, n, "a", "x")
				mu.Lock()
				acknowledged = max(acknowledged, got)
				mu.Unlock()
			}
		})
	}
	for range readers {
		all.Go(func() {
			for range each {
				mu.Lock()
				least := acknowledged
				mu.Unlock()
				if got := mustRead(t, n, "a")["n"]; got < least {
					t.Errorf("read %d after %d had been answered", got, least)
				}
			}
		})
	}
	all.Wait()
	if got := mustRead(t, n, "a")["n"]; got != writers*each {
		t.Errorf("%d at the end", got)
	}
}
