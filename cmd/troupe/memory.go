package main

import (
	"context"
	"runtime/metrics"
	"syscall"
	"time"
)

// calmTime is how long a cloud must have done little before it gives memory
// back; it is looked at that often.
const calmTime = 15 * time.Second

// A registry never does nothing: its nodes assure each other that connections live,
// and clients beat. A cloud that takes fewer than calmSteps steps in calmTime is calm
// all the same, and gives back what is worth it: giving back walks through all that
// is alive, and whoever is served meanwhile waits for it. Reads and pushes are no steps:
// who serves many of them is not calm, which the processors know.
const (
	calmSteps = 1000 * uint64(calmTime/time.Second)
	calmWork  = calmTime / 15 // of one processor
	worth     = 64 << 20      // bytes that a cloud has taken since it last gave back
)

// activity is what tells two moments apart: steps of actors, actors in memory, the
// processor time that was used, and the bytes that the process has from the system.
type activity struct {
	steps uint64
	live  int64
	work  time.Duration
	held  uint64
}

// rests says whether nothing has happened since before.
func (a activity) rests(before activity) bool {
	return a.steps == before.steps && a.live == before.live
}

// calm says whether little has happened since before.
func (a activity) calm(before activity) bool {
	return a.steps-before.steps < calmSteps && a.work-before.work < calmWork
}

// startTime is when a new cloud first gives memory back: most of its heap is then what
// only its start has needed.
const startTime = time.Second

// giveBack returns memory to the system after the start, and whenever the cloud has
// come to rest: after a load, and again when the actors it has woken have left memory.
// Go's own scavenger would take many minutes, and never touches the store's mapping.
func giveBack(ctx context.Context, now func() activity, release func()) {
	tick := time.NewTicker(startTime)
	defer tick.Stop()
	next := func() bool {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
			return true
		}
	}
	if !next() {
		return
	}
	release()
	last := now()
	given := last
	tick.Reset(calmTime)
	for next() {
		is := now()
		if is.calm(last) && (is.rests(last) && !is.rests(given) || is.held >= given.held+worth) {
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

// work is the processor time that this process has used.
func work() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it cannot fail for oneself
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
