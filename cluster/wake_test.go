package cluster_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/messages"
)

func pingRef(id string) actors.Ref { return actors.Ref{Kind: "ping", ID: id} }

func unsettled(t *testing.T, s store.Store) int {
	t.Helper()
	items, _, err := s.List(context.Background(), actors.UnsettledPrefix, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	return len(items)
}

// TestInterruptedWorkGoesOn: the first node has committed work whose effects
// never happened; the next one finds it without being asked.
func TestInterruptedWorkGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mem.New()
		first := start(t, s, pingKind()) // no pong: what is told it is lost
		const many = 200
		for i := range many {
			id := fmt.Sprintf("p/%d", i)
			if _, err := first.Client().Ask(t.Context(), pingRef(id), &messages.ClaimQuota{InstanceId: id}); err != nil {
				t.Fatal(err)
			}
		}
		stop(t, first)
		if got := unsettled(t, s); got != many {
			t.Fatalf("%d unsettled before the restart", got)
		}
		n := start(t, s, pingKind(), pongKind(nil))
		synctest.Wait()
		if got := unsettled(t, s); got != 0 {
			t.Errorf("%d still unsettled after the restart", got)
		}
		stop(t, n)
	})
}

// TestNudges: work that gets no answer is tried again after 1, 2, 4 … 30 s, and
// soon again once the state has changed.
func TestNudges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, heard := time.Now(), make(chan time.Time, 100)
		deaf := actors.Spec[struct{}]{Name: "pong", Volatile: true, Step: func(s struct{}, in actors.Input) (struct{}, []actors.Effect, error) {
			if _, ok := in.Message.(*messages.ReleaseQuota); ok {
				heard <- in.Now
			}
			return s, nil, nil
		}}.Kind()
		n := start(t, mem.New(), pingKind(), deaf)
		ask := func(id string) {
			if _, err := n.Client().Ask(t.Context(), pingRef("a"), &messages.ClaimQuota{InstanceId: id}); err != nil {
				t.Fatal(err)
			}
		}
		ask("x")
		sum := time.Duration(0)
		for i, want := range []time.Duration{0, 1, 2, 4, 8, 16, 30, 30} {
			got := (<-heard).Sub(began)
			if low, high := sum*3/4, (sum+want*time.Second)*5/4; got < low || got > high {
				t.Errorf("try %d came after %v, want about %v", i, got, sum+want*time.Second)
			}
			sum += want * time.Second
		}
		began = time.Now()
		ask("y")
		<-heard
		if got := (<-heard).Sub(began); got > 2*time.Second {
			t.Errorf("after a change the next try came after %v", got)
		}
		if got := n.Client().Stats().Actors["ping"]; got != 1 {
			t.Errorf("%d grains with work outstanding are in memory", got)
		}
		stop(t, n)
	})
}

func TestPassivation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mem.New()
		n := startWith(t, cluster.Config{Name: "n", Store: s, Kinds: []actors.Kind{counterKind()}, IdleTimeout: time.Minute})
		mustCount(t, n, "busy", "x")
		mustCount(t, n, "idle", "x") // is large: manyRows
		mustRead(t, n, "small")
		waits := make(chan error, 1)
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		go func() {
			_, err := n.Client().Ask(ctx, counterRef("waited for"), &messages.CreatePort{Id: "p"})
			waits <- err
		}()
		pass := func(d time.Duration) {
			for began := time.Now(); time.Since(began) < d; {
				time.Sleep(10 * time.Second) // of the bubble's clock
				mustRead(t, n, "busy")
			}
		}
		pass(2 * time.Minute)
		if got := n.Client().Stats().Actors["counter"]; got != 3 {
			t.Errorf("%d grains in memory, want all but the small one", got)
		}
		pass(cluster.LargeStays * time.Minute)
		if got := n.Client().Stats().Actors["counter"]; got != 2 {
			t.Errorf("%d grains in memory, want the busy one and the one that is waited for", got)
		}
		if got := mustCount(t, n, "idle", "x"); got != 2 {
			t.Errorf("the passivated grain counts %d", got)
		}
		if _, err := n.Client().Ask(t.Context(), counterRef("waited for"), &messages.DeletePort{PortId: "p"}); err != nil {
			t.Error(err)
		}
		if err := <-waits; err != nil {
			t.Errorf("the asker heard %v", err)
		}
		time.Sleep((cluster.LargeStays + 2) * time.Minute)
		if got := n.Client().Stats().Actors["counter"]; got != 0 {
			t.Errorf("%d grains in memory after all were idle", got)
		}
		stop(t, n)
	})
}

// TestStoreOutage: while the store is away asks are refused as Unavailable, and
// work that was begun before goes on after it, without being asked.
func TestStoreOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(mem.New())
		n := start(t, g, pingKind(), pongKind(nil))
		away := fmt.Errorf("the store is away: %w", messages.Unavailable)
		var calls atomic.Int64
		g.fail(func() error {
			if calls.Add(1) == 1 {
				return nil // the claim itself
			}
			return away
		}, nil)
		if _, err := n.Client().Ask(t.Context(), pingRef("a"), &messages.ClaimQuota{InstanceId: "a"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		if got := unsettled(t, g); got != 1 {
			t.Fatalf("%d unsettled during the outage", got)
		}
		if _, err := n.Client().Ask(t.Context(), pingRef("b"), &messages.ClaimQuota{InstanceId: "b"}); messages.KindOf(err) != messages.ErrorKind_ERROR_KIND_UNAVAILABLE {
			t.Errorf("during the outage: %v", err)
		}
		g.fail(nil, nil)
		time.Sleep(2 * time.Minute)
		if got := unsettled(t, g); got != 0 {
			t.Errorf("%d still unsettled after the outage", got)
		}
		stop(t, n)
	})
}
