package main

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// A control plane lives on little memory and makes much garbage: at Go's default
// a live heap of 15 MB is collected every 15 MB, and a fifth of the processor
// goes into that. So at least gcHeadroom bytes of garbage may gather between two
// collections, and beside it a share of what is alive: half of it, of a large heap
// less, for memory is what it lacks. What a load has taken is given back when it is
// over (giveBack).
//
// Go begins a collection as late as it can, and has everybody who allocates help
// so that it ends in time. While the one actor helps for whom all others wait,
// nothing goes on, and so a request in a hundred takes a tenth of a second. Our
// collections begin earlier: at least gcRunway bytes, and beside it that share again,
// may be allocated while one goes on. Go's own is the last resort.
const (
	gcHeadroom = 256 << 20
	gcRunway   = 128 << 20
	gcPercent  = 100       // two halves
	gcShare    = 128 << 20 // what half of what is alive counts at most, until an eighth is more
	// gcMaxPercent bounds what follows from them where next to nothing is alive:
	// Go takes that for 4 MB.
	gcMaxPercent = 10_000
)

// How often the heap is looked at: as often as it has to be to be in time,
// within these bounds. A look costs some microseconds; a load that sets in between
// two of them must not get into Go's own collection before the next.
const (
	heapFastLook = 5 * time.Millisecond
	heapSlowLook = 250 * time.Millisecond
)

// tuneCollector has the collector follow those rules until ctx ends, unless GOGC
// says otherwise.
func tuneCollector(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	var tune func(*[16]byte)
	tune = func(*[16]byte) { // after every collection anew
		metrics.Read(live)
		debug.SetGCPercent(percentFor(live[0].Value.Uint64()))
		runtime.SetFinalizer(&[16]byte{}, tune) // dies with the next collection
	}
	tune(nil)
	go collectEarly(ctx)
}

// percentFor is the GOGC at which Go collects when headroom and runway are used
// up, for a heap of which so many bytes are alive.
func percentFor(live uint64) int {
	least := int(min((gcHeadroom+gcRunway)*100/max(live, 1), gcMaxPercent))
	if live <= 2*gcShare {
		return gcPercent + least
	}
	return int(2*share(live)*100/live) + least
}

// share is what may gather beside the least, for a heap of which so many bytes are alive.
func share(live uint64) uint64 { return max(min(live/2, gcShare), live/8) }

// heap is what tells when to collect, in bytes.
type heap struct {
	cycles  uint64 // collections so far
	live    uint64 // found by the last one
	allocs  uint64 // since the process began
	atCycle uint64 // allocs when the last one was first seen
}

var heapSamples = [...]string{"/gc/cycles/total:gc-cycles", "/gc/heap/live:bytes", "/gc/heap/allocs:bytes"}

// look is h as it is now.
func (h heap) look(m []metrics.Sample) heap {
	metrics.Read(m)
	now := heap{m[0].Value.Uint64(), m[1].Value.Uint64(), m[2].Value.Uint64(), h.atCycle}
	if now.cycles != h.cycles {
		now.atCycle = now.allocs
	}
	return now
}

// room is how much may be allocated until a collection should begin.
func (h heap) room() uint64 {
	may, gathered := gcHeadroom+share(h.live), h.allocs-h.atCycle
	return may - min(may, gathered)
}

// pause is how long nobody needs to look, if things go on as they did in the last
// took: half of the time in which the room is used up.
func (h heap) pause(before heap, took time.Duration) time.Duration {
	grown := h.allocs - before.allocs
	if grown == 0 {
		return heapSlowLook
	}
	wait := float64(took) * float64(h.room()) / float64(grown) / 2
	return time.Duration(min(max(wait, float64(heapFastLook)), float64(heapSlowLook)))
}

// collectEarly begins collections in time until ctx ends.
func collectEarly(ctx context.Context) {
	m := make([]metrics.Sample, len(heapSamples))
	for i, name := range heapSamples {
		m[i].Name = name
	}
	h, wait := heap{}.look(m), heapFastLook
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		now := h.look(m)
		if now.room() == 0 {
			besides(runtime.GC)
			now = now.look(m)
		}
		h, wait = now, now.pause(h, wait)
		timer.Reset(wait)
	}
}

// gcProcs is how many of Go's processors there are at least while a collection goes
// on. It marks with a quarter of them. Of two that is a half: Go has each of them
// mark for up to 10 ms at a stretch, while whatever became ready there waits, and
// that at every step of a request. Of four it is one whole, on a thread of its own;
// the others go on, and how a core is shared among threads the kernel knows better.
// At other times there are no more than cores: what talks over loopback is a fifth
// faster so.
const gcProcs = 4

// besides collects while others work on, unless GOMAXPROCS says how many there are.
func besides(collect func()) {
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) < gcProcs {
		runtime.GOMAXPROCS(gcProcs)
		defer runtime.SetDefaultGOMAXPROCS()
	}
	collect()
}
