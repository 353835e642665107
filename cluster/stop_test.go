package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store/bolt"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/messages"
)

// TestStopUnderLoad: whatever was acknowledged before or while a node stops is
// there afterwards, and every ask is answered.
func TestStopUnderLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	var acknowledged [8]atomic.Int64
	for round := range 3 {
		s, err := bolt.Open(path, bolt.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		n := start(t, s)
		var wg sync.WaitGroup
		var done atomic.Int64
		enough := make(chan struct{})
		for c := range 64 {
			id := c % len(acknowledged)
			wg.Go(func() {
				for {
					_, err := n.Client().Ask(context.Background(), counterRef(fmt.Sprint(id)), count("x"))
					if err != nil {
						if !errors.Is(err, messages.Unavailable) {
							t.Errorf("round %d: %v", round, err)
						}
						return
					}
					acknowledged[id].Add(1)
					if done.Add(1) == 500 {
						close(enough)
					}
				}
			})
		}
		<-enough
		stop(t, n)
		wg.Wait()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := bolt.Open(path, bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	n := start(t, s)
	defer stop(t, n)
	for id := range acknowledged {
		if got, want := mustRead(t, n, fmt.Sprint(id))["n"], acknowledged[id].Load(); got < want {
			t.Errorf("counter %d has %d, but %d were acknowledged", id, got, want)
		}
	}
}

// TestStopWithoutTime: a store that hangs keeps Stop from ending well, and it
// says so.
func TestStopWithoutTime(t *testing.T) {
	g := newGate(mem.New())
	n, err := cluster.Start(t.Context(), cluster.Config{Name: "n", Store: g, Kinds: kindsOf(), DrainTimeout: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	g.shut()
	answered := make(chan error, 1)
	cluster.Post(n, counterRef("a"), count("x"), func(_ proto.Message, err error) { answered <- err })
	<-g.entered
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := n.Stop(ctx); !errors.Is(err, messages.Unavailable) {
		t.Errorf("stopped with %v", err)
	}
	g.open()
	if err := <-answered; err != nil {
		t.Errorf("what was committed in the end was answered with %v", err)
	}
}

// TestDeadline: an ask ends with its context, and one that waited too long is
// not done any more.
func TestDeadline(t *testing.T) {
	g := newGate(mem.New())
	n := start(t, g)
	mustCount(t, n, "a", "x")
	<-g.entered
	g.shut()
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-g.entered
		cancel()
	}()
	if _, err := n.Client().Ask(ctx, counterRef("a"), count("x")); !errors.Is(err, messages.Unavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled ask: %v", err)
	}
	g.open()
	past, cancel := context.WithDeadline(context.Background(), time.Unix(1, 0))
	defer cancel()
	if _, err := n.Client().Ask(past, counterRef("a"), count("x")); !errors.Is(err, messages.Unavailable) {
		t.Errorf("an ask past its deadline: %v", err)
	}
	if got := mustRead(t, n, "a"); got["n"] != 2 {
		t.Errorf("counted %v", got)
	}
}
