package main

import (
	"context"
	"time"
)

// calmTime is how long a cloud must have done nothing before it gives memory
// back; it is looked at that often.
const calmTime = 15 * time.Second

// activity is what tells two moments apart: steps of actors, and actors in memory.
type activity struct {
	steps uint64
	live  int64
}

// giveBack returns memory to the system whenever the cloud has come to rest:
// after a load, and again when the actors it has woken have left memory. Go's
// own scavenger would take many minutes, and never touches the store's mapping.
func giveBack(ctx context.Context, now func() activity, release func()) {
	tick := time.NewTicker(calmTime)
	defer tick.Stop()
	last, given := now(), activity{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		is := now()
		if is == last && is != given {
			given = is
			release()
		}
		last = is
	}
}
