package main

import (
	"context"
	"runtime/metrics"
	"time"
)

// calmTime is how long a cloud must have done little before it gives memory
// back; it is looked at that often.
const calmTime = 15 * time.Second

// A registry never does nothing: its nodes assure each other that connections live,
// and clients beat. A cloud that takes fewer than calmSteps steps in calmTime is calm
// all the same, and gives back what is worth it: giving back walks through all that
// is alive.
const (
	calmSteps = 1000 * uint64(calmTime/time.Second)
	worth     = 64 << 20 // bytes that a cloud has taken since it last gave back
)

// activity is what tells two moments apart: steps of actors, actors in memory, and
// the bytes that the process has from the system.
type activity struct {
	steps uint64
	live  int64
	held  uint64
}

// rests says whether nothing has happened since before.
func (a activity) rests(before activity) bool {
	return a.steps == before.steps && a.live == before.live
}

// calm says whether little has happened since before.
func (a activity) calm(before activity) bool { return a.steps-before.steps < calmSteps }

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
		if is.rests(last) && !is.rests(given) || is.calm(last) && is.held >= given.held+worth {
			release()
			given = now()
			given.steps, given.live = is.steps, is.live
		}
		last = is
	}
}

var heldSamples = [...]string{"/memory/classes/total:bytes", "/memory/classes/heap/released:bytes"}

// held is how many bytes Go has from the system and has not given back.
func held() uint64 {
	m := make([]metrics.Sample, len(heldSamples))
	for i, name := range heldSamples {
		m[i].Name = name
	}
	metrics.Read(m)
	return m[0].Value.Uint64() - m[1].Value.Uint64()
}
