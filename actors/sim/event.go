package sim

import (
	"container/heap"
	"time"
)

// event is something that happens at a moment of the simulated clock; seq orders those
// of one moment.
type event struct {
	at  time.Duration
	seq uint64
	do  func()
}

type eventHeap []event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || (h[i].at == h[j].at && h[i].seq < h[j].seq)
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(x any)   { *h = append(*h, x.(event)) }
func (h *eventHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	*h = old[:len(old)-1]
	return e
}

// after has do done once so much time has passed.
func (w *World) after(d time.Duration, do func()) {
	w.seq++
	heap.Push(&w.events, event{w.now + d, w.seq, do})
}

// chance says whether something strikes that does so with probability p.
func (w *World) chance(p float64) bool { return !w.calm && w.rng.Float64() < p }

// delay is how long a message is on its way.
func (w *World) delay() time.Duration {
	if w.calm {
		return time.Millisecond
	}
	// Mostly quick, sometimes long: that is what reorders messages.
	if w.rng.IntN(8) > 0 {
		return time.Duration(w.rng.Int64N(int64(20 * time.Millisecond)))
	}
	return time.Duration(w.rng.Int64N(int64(w.faults.MaxDelay) + 1))
}

// step performs the next event and whatever strikes after it.
func (w *World) step() {
	e := heap.Pop(&w.events).(event)
	w.now = e.at
	e.do()
	if w.chance(w.faults.Restart) {
		w.restart()
	}
	h := w.hosts[w.rng.IntN(len(w.hosts))]
	if w.chance(w.faults.DomainDies) {
		h.killOne()
	}
	if w.chance(w.faults.Disconnects) {
		h.disconnect()
	}
	if w.chance(w.faults.NodeDies) {
		h.die(w.chance(w.faults.Zombie))
	}
	w.check()
}
