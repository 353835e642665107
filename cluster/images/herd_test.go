package images

import (
	"slices"
	"sync"
	"testing"
	"time"
)

// TestHerd has a hundred nodes (fewer under the race detector) fetch one content at once. The two that have it
// must not be read by all: how often each node served it is counted and printed.
func TestHerd(t *testing.T) {
	const fetchers = herd
	limits := quick()
	limits.StallTime = time.Minute // a hundred nodes on two processors
	w := newWorld(t, fetchers+2, limits)
	b, sum := content(32 * piece)
	order := w.order(sum)
	for _, name := range order[:2] {
		w.place(name, b, true)
	}
	var wg sync.WaitGroup
	for _, name := range order[2:] {
		wg.Go(func() { w.fetched(name, sum, b) })
	}
	wg.Wait()
	var served []float64 // in contents
	var all, origins float64
	var asked int64
	for _, name := range order {
		s := float64(w.nodes[name].Stats().ServedBytes) / float64(len(b))
		served = append(served, s)
		all += s
		asked += w.nodes[name].called(methodHave)
	}
	origins = served[0] + served[1]
	rest := served[2:]
	slices.Sort(rest)
	t.Logf("%d nodes fetched %d pieces each: the two holders served %.1f and %.1f contents of %.1f; "+
		"the others at most %.1f, in the median %.1f; %d served at all; %d questions, %d busy answers", fetchers, len(b)/piece,
		served[0], served[1], all, rest[len(rest)-1], rest[len(rest)/2], atLeast(rest), asked, w.busy())
	if origins > fetchers/4 {
		t.Errorf("the two holders served %.1f of %.1f contents", origins, all)
	}
	if top := rest[len(rest)-1]; top > fetchers/4 {
		t.Errorf("one node served %.1f contents", top)
	}
	w.clean()
}

func atLeast(served []float64) (n int) {
	for _, s := range served {
		if s > 0 {
			n++
		}
	}
	return n
}

func (w *world) busy() (n int64) {
	for _, node := range w.nodes {
		n += node.Stats().Busy
	}
	return n
}
