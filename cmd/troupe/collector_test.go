package main

import (
	"os"
	"runtime"
	"testing"
	"time"
)

func TestPercentFor(t *testing.T) {
	for name, tt := range map[string]struct {
		live uint64
		want int
	}{
		"nothing is alive yet":          {0, gcPercent + gcMaxPercent},
		"a small heap has the headroom": {16 << 20, gcPercent + 2400},
		"a large one half of itself":    {256 << 20, gcPercent + 150},
		"a very large one a share":      {640 << 20, 40 + 60},
		"which is an eighth at least":   {3072 << 20, 25 + 12},
	} {
		if got := percentFor(tt.live); got != tt.want {
			t.Errorf("%s: got %d, want %d", name, got, tt.want)
		}
	}
}

func TestHeapRoom(t *testing.T) {
	const mb = 1 << 20
	for name, tt := range map[string]struct {
		h    heap
		want uint64
	}{
		"nothing yet":               {heap{}, 256 * mb},
		"just collected":            {heap{live: 100 * mb, allocs: 900 * mb, atCycle: 900 * mb}, 306 * mb},
		"of a large heap":           {heap{live: 800 * mb, allocs: 900 * mb, atCycle: 900 * mb}, 384 * mb},
		"of a very large one":       {heap{live: 2048 * mb, allocs: 900 * mb, atCycle: 900 * mb}, 512 * mb},
		"some garbage has gathered": {heap{live: 100 * mb, allocs: 1000 * mb, atCycle: 900 * mb}, 206 * mb},
		"only the runway is left":   {heap{live: 100 * mb, allocs: 1206 * mb, atCycle: 900 * mb}, 0},
		"not even that":             {heap{live: 100 * mb, allocs: 1400 * mb, atCycle: 900 * mb}, 0},
	} {
		if got := tt.h.room(); got != tt.want {
			t.Errorf("%s: got %d MB, want %d", name, got/mb, tt.want/mb)
		}
	}
}

func TestHeapPause(t *testing.T) {
	const mb = 1 << 20
	before := heap{live: 100 * mb}
	for name, tt := range map[string]struct {
		grown uint64
		want  time.Duration
	}{
		"nothing goes on": {0, heapSlowLook},
		"a little":        {mb / 4, heapSlowLook},
		"a load":          {34 * mb, 40 * time.Millisecond},
		"a heavy one":     {300 * mb, heapFastLook},
	} {
		now := before
		now.allocs += tt.grown
		if got := now.pause(before, 10*time.Millisecond); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

func TestBesides(t *testing.T) {
	cores, during := runtime.GOMAXPROCS(0), 0
	besides(func() { during = runtime.GOMAXPROCS(0) })
	if want := max(cores, gcProcs); during != want && os.Getenv("GOMAXPROCS") == "" {
		t.Errorf("%d while it collects, want %d", during, want)
	}
	if is := runtime.GOMAXPROCS(0); is != cores {
		t.Errorf("%d afterwards, before %d", is, cores)
	}
}
