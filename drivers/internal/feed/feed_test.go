package feed

import (
	"context"
	"fmt"
	"testing"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestConnectedComesFirst(t *testing.T) {
	var f Feed
	events := f.Watch(t.Context())
	f.Emit(drivers.Event{Kind: drivers.Changed})
	f.Connected()
	f.Connected()
	f.Emit(drivers.Event{Kind: drivers.Changed})
	f.Lost("x")
	f.Emit(drivers.Event{Kind: drivers.Changed})
	f.Connected()
	for n, want := range []drivers.EventKind{drivers.Connected, drivers.Changed, drivers.Lost, drivers.Connected} {
		if e := <-events; e.Kind != want {
			t.Errorf("event %d is %v, want kind %v", n, e, want)
		}
	}
}

func TestOrderIsKeptAndOverflowIsTold(t *testing.T) {
	var f Feed
	f.Connected()
	ctx, cancel := context.WithCancel(t.Context())
	events := f.Watch(ctx)
	<-events
	for n := range maxBacklog / 2 {
		f.Emit(drivers.Event{Kind: drivers.Changed, Domain: drivers.Domain{ID: fmt.Sprint(n)}})
	}
	for n := range maxBacklog / 2 {
		if e := <-events; e.Domain.ID != fmt.Sprint(n) {
			t.Fatalf("event %d is %v", n, e)
		}
	}
	for range 2 * maxBacklog {
		f.Emit(drivers.Event{Kind: drivers.Changed})
	}
	f.Emit(drivers.Event{Kind: drivers.Gone})
	lost := false
	for e := range events {
		lost = lost || e.Kind == drivers.Lost
		if e.Kind == drivers.Gone {
			break
		}
	}
	if !lost {
		t.Error("the overflow was not told")
	}
	f.Emit(drivers.Event{Kind: drivers.Changed})
	cancel()
	for range events { // must close
	}
}
