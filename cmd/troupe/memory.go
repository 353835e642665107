package main

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// gcHeadroom is how much garbage, in bytes, may at least gather between two
// collections, and gcPercent how much beside it, in percent of what is alive. A
// control plane lives on little memory and makes much garbage: at Go's default a
// live heap of 15 MB is collected every 15 MB, and a fifth of the processor goes
// into that. What a load has taken is given back when it is over (giveBack).
const (
	gcHeadroom = 256 << 20
	gcPercent  = 100
)

// tuneCollector keeps the headroom, after every collection anew, unless GOGC
// says otherwise.
func tuneCollector() {
	if os.Getenv("GOGC") != "" {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	var tune func(*[16]byte)
	tune = func(*[16]byte) {
		metrics.Read(live)
		percent := gcPercent
		if n := live[0].Value.Uint64(); n > 0 {
			percent += int(min(gcHeadroom*100/n, 5000))
		}
		debug.SetGCPercent(percent)
		runtime.SetFinalizer(&[16]byte{}, tune) // dies with the next collection
	}
	tune(nil)
}

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
