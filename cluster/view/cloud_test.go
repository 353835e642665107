package view_test

import (
	"flag"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/cluster/view"
)

var (
	runs  = flag.Int("runs", 60, "how many histories TestCloud plays")
	seed  = flag.Uint64("seed", 1, "the first of them")
	lines = flag.Int("lines", 150, "how much of a failed history is printed, from its end")
)

const testGrains = 12

// TestCloud plays histories with everything that goes wrong between machines, and
// asserts after every event that no grain has two readers, and in the end, when
// all is well again for a while, that every grain has one.
func TestCloud(t *testing.T) {
	var wg sync.WaitGroup
	const workers = 2
	for worker := range uint64(workers) {
		wg.Go(func() {
			for s := *seed + worker; s < *seed+uint64(*runs) && !t.Failed(); s += workers {
				if w := play(s); w.broken != "" {
					t.Errorf("%s\n...\n%s\nplay it again: go test ./cluster/view -run TestCloud -runs=1 -seed=%d",
						w.broken, w.story(), s)
				}
			}
		})
	}
	wg.Wait()
}

func play(s uint64) *world {
	w := newWorld(s, 3, testGrains)
	size := 3 + w.random.IntN(3)
	if w.random.IntN(4) == 0 {
		size = 3 + w.random.IntN(8)
	}
	w = newWorld(s, size, testGrains)
	w.table.expire()
	for _, n := range w.nodes {
		w.after(w.between(0, time.Second), n.start)
	}
	w.run(w.between(2*time.Second, 5*time.Second))
	for range 3 + w.random.IntN(8) {
		w.fault()
		w.run(w.between(0, 3*time.Second))
	}
	w.calm()
	took, ok := w.runUntil(60*time.Second, w.whole)
	if !ok && w.broken == "" {
		w.breaks("not whole %v after the last fault: %s", took, w.missing())
	}
	if w.broken == "" {
		evicts := w.evicts
		w.run(5 * time.Second)
		if w.broken == "" && (w.evicts > evicts || !w.whole()) {
			w.breaks("a calm cloud does not stay whole: %s", w.missing())
		}
	}
	return w
}

// fault does one bad thing, for a while or for good.
func (w *world) fault() {
	n := w.nodes[w.random.IntN(len(w.nodes))]
	o := w.nodes[w.random.IntN(len(w.nodes))]
	long := w.between(100*time.Millisecond, 12*time.Second)
	for_ := func(begin, end func()) { begin(); w.after(long, end) }
	switch w.random.IntN(14) {
	case 0, 1:
		n.kill(w.random.IntN(2) == 0)
		if w.random.IntN(2) == 0 {
			w.after(w.between(10*time.Millisecond, 5*time.Second), func() {
				if !n.running {
					n.start()
				}
			})
		}
	case 2, 3:
		if n.running && !n.paused {
			n.pause(long)
		}
	case 4:
		w.say("%s hears nothing of %s for %v", o.name, n.name, long)
		for_(func() { w.cut[[2]int{n.number, o.number}] = true }, func() { delete(w.cut, [2]int{n.number, o.number}) })
	case 5, 6:
		w.say("%s is cut off from all others for %v", n.name, long)
		for_(func() { w.part(1<<n.number, true) }, func() { w.part(1<<n.number, false) })
	case 7:
		side := w.random.IntN(1 << len(w.nodes))
		w.say("partition %b for %v", side, long)
		for_(func() { w.part(side, true) }, func() { w.part(side, false) })
	case 8, 9:
		side := w.random.IntN(1 << len(w.nodes))
		w.say("the table is out of reach for %b for %v", side, long)
		for_(func() { w.cutTable(side) }, func() { w.cutTable(0) })
	case 10:
		w.say("the table is down for %v", long)
		for_(func() { w.table.up = false }, w.table.restart)
	case 11:
		slow := w.between(0, 500*time.Millisecond)
		w.say("slow by %v for %v", slow, long)
		for_(func() { w.table.slow, w.slow = slow, slow }, func() { w.table.slow, w.slow = 0, 0 })
	case 12:
		w.say("loss for %v", long)
		for_(func() { w.loss = 0.3 }, func() { w.loss = 0 })
	case 13:
		switch {
		case w.random.IntN(4) == 0:
			w.say("the table is wiped")
			w.table.index = 1
			w.table.era++
			w.table.change(func() { clear(w.table.records) })
		case n.running && !n.paused && n.self != nil && !n.leaving:
			n.leave()
		}
	}
}

func (w *world) part(side int, cut bool) {
	for a := range w.nodes {
		for b := range w.nodes {
			if side>>a&1 != side>>b&1 {
				if w.cut[[2]int{a, b}] = cut; !cut {
					delete(w.cut, [2]int{a, b})
				}
			}
		}
	}
}

func (w *world) cutTable(side int) {
	w.table.cut = map[int]bool{}
	for a := range w.nodes {
		w.table.cut[a] = side>>a&1 != 0
	}
	for _, n := range w.nodes {
		n.watch()
	}
}

// calm ends every fault.
func (w *world) calm() {
	w.run(13 * time.Second) // what was for a while is over
	if w.broken != "" {
		return
	}
	w.say("calm")
	w.loss, w.cut = 0, map[[2]int]bool{}
	w.cutTable(0)
	w.table.restart()
	for _, n := range w.nodes {
		if !n.running {
			n.start()
		}
	}
}

// whole means that all are members, agree, may read, and hold what is theirs.
func (w *world) whole() bool { return w.missing() == "" }

func (w *world) missing() string {
	now := w.table.view()
	if len(now.Members) != len(w.nodes) {
		return fmt.Sprintf("%d of %d are members", len(now.Members), len(w.nodes))
	}
	for _, n := range w.nodes {
		switch {
		case n.self == nil || !now.Has(n.id):
			return n.name + " is no member"
		case n.self.View().Index != now.Index || n.self.Stable() != now.Index:
			return fmt.Sprintf("%s has view %d, stable %d, of %d", n.id, n.self.View().Index, n.self.Stable(), now.Index)
		case !n.self.Leased(n.clock()):
			return n.id + " has no lease"
		}
		for g := range w.grains {
			if n.held[g] != now.Owns(n.id, grain(g)) {
				return fmt.Sprintf("%s and grain %d: held is %v", n.id, g, n.held[g])
			}
		}
	}
	return ""
}

// steady is a cloud in which all is well.
func steady(t *testing.T, seed uint64, size int) *world {
	t.Helper()
	w := newWorld(seed, size, testGrains)
	w.table.expire()
	for _, n := range w.nodes {
		w.after(w.between(0, 300*time.Millisecond), n.start)
	}
	if _, ok := w.runUntil(20*time.Second, w.whole); !ok {
		t.Fatalf("%d members do not come together: %s\n%s", size, w.missing(), w.story())
	}
	w.evicts, w.fences = 0, 0
	return w
}

// TestDeadIsOut: a dead member leaves the table within the bound, and its grains
// are served by others within lease and margin more.
func TestDeadIsOut(t *testing.T) {
	timings := view.DefaultTimings()
	for _, size := range []int{2, 3, 4, 5, 10} {
		for name, tt := range map[string]struct {
			silent bool
			bound  time.Duration
		}{
			"process": {false, 3*timings.PingEvery + timings.Indirect},
			"machine": {true, timings.SuspectAfter + timings.PingEvery + timings.Indirect + timings.TieDelay},
		} {
			for s := uint64(1); s <= 5; s++ {
				w := steady(t, s, size)
				dead := w.nodes[int(s)%size]
				dead.kill(tt.silent)
				took, ok := w.runUntil(30*time.Second, func() bool { return !w.table.view().Has(dead.id) })
				if !ok || took > tt.bound {
					t.Errorf("%s of one of %d, seed %d: out after %v, bound %v\n%s", name, size, s, took, tt.bound, w.story())
				}
				served := func() bool {
					for g := range testGrains {
						owner := 0
						for _, n := range w.nodes {
							if n.serves(g) {
								owner++
							}
						}
						if owner != 1 {
							return false
						}
					}
					return true
				}
				if took, ok = w.runUntil(30*time.Second, served); !ok || took > timings.Lease+timings.Margin+300*time.Millisecond {
					t.Errorf("%s of one of %d, seed %d: served again after %v\n%s", name, size, s, took, w.story())
				}
				if w.evicts > 2*size || w.fences > 0 {
					t.Errorf("%s of one of %d, seed %d: %d evictions, %d fenced", name, size, s, w.evicts, w.fences)
				}
			}
		}
	}
}

// TestNobodyIsEvictedForBeingSlow, nor because the table is away: and while it
// is, everybody goes on reading.
func TestNobodyIsEvictedForBeingSlow(t *testing.T) {
	for name, fault := range map[string]func(*world){
		"slow": func(w *world) {
			w.delay = func() time.Duration { return w.between(100*time.Millisecond, 450*time.Millisecond) }
		},
		"lossy":            func(w *world) { w.loss = 0.05 },
		"no table":         func(w *world) { w.table.up = false; w.after(30*time.Second, w.table.restart) },
		"cut from table":   func(w *world) { w.cutTable(1<<len(w.nodes) - 1); w.after(8*time.Second, func() { w.cutTable(0) }) },
		"table blinks":     func(w *world) { w.blink(20) },
		"a pause of 0.9 s": func(w *world) { w.nodes[0].pause(900 * time.Millisecond) },
		"a one-way cut": func(w *world) {
			w.cut[[2]int{0, 1}] = true
		},
	} {
		for _, size := range []int{3, 4, 7} {
			for s := uint64(1); s <= 2; s++ {
				w := steady(t, s, size)
				fault(w)
				w.run(35 * time.Second)
				if w.evicts > 0 || w.fences > 0 || w.broken != "" {
					t.Errorf("%s, %d members, seed %d: %d evictions, %d fenced %s\n%s", name, size, s, w.evicts, w.fences, w.broken, w.story())
				}
			}
		}
	}
}

func (w *world) blink(times int) {
	w.table.up = false
	w.after(w.between(100*time.Millisecond, 3*time.Second), func() {
		w.table.restart()
		if times > 0 {
			w.after(w.between(100*time.Millisecond, 3*time.Second), func() { w.blink(times - 1) })
		}
	})
}

// TestReadsGoOnWithoutTable: all of Consul down for 30 s.
func TestReadsGoOnWithoutTable(t *testing.T) {
	for _, size := range []int{2, 3, 5, 10} {
		w := steady(t, 7, size)
		w.table.up = false
		for range 300 {
			w.run(100 * time.Millisecond)
			for _, n := range w.nodes {
				if !n.self.Leased(n.clock()) {
					t.Fatalf("%d members: %s lost its lease %v after the table", size, n.id, w.now)
				}
			}
		}
		w.nodes[0].kill(true)
		w.run(w.timings.Lease + w.timings.SuspectAfter)
		for _, n := range w.nodes[1:] {
			if size > 2 && n.self.Leased(n.clock()) {
				t.Fatalf("%d members: %s reads though it has no word of %s", size, n.id, w.nodes[0].id)
			}
		}
	}
}
