package cluster

import (
	"slices"
	"testing"
	"time"
)

// TestCourtesy: it is shown while it is wished for and not used up, and saved again
// at a fraction of the time that passes.
func TestCourtesy(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	var c courtesy
	at := time.Unix(1, 0)
	for n, tt := range []struct {
		passed time.Duration
		wish   bool
		left   time.Duration
		shown  bool
	}{
		{0, false, 0, false},
		{0, true, courtesyMost, true},
		{100 * ms, true, courtesyMost - 100*ms, true},
		{100 * ms, false, 0, false},                                          // 300 ms are saved
		{100 * ms, true, courtesyMost - 200*ms + 100*ms/courtesyShare, true}, // 325
		{325 * ms, true, 0, false},                                           // used up
		{ms, true, 0, false},                                                 // not worth a timer
		{courtesyShare*8*ms - ms, true, 8 * ms, true},                        // saved again
		{time.Hour, true, 0, false},                                          // nobody has looked for long
		{time.Hour, true, courtesyMost, true},                                // there is a most
		{courtesyMost - ms, true, ms, true}, {ms / 2, false, 0, false},
	} {
		at = at.Add(tt.passed)
		if left, shown := c.show(at, tt.wish); left != tt.left || shown != tt.shown {
			t.Fatalf("%d: %v, %v, not %v, %v", n, left, shown, tt.left, tt.shown)
		}
	}
}

// TestStandsBack: while as many as there are cores run at once, nobody takes turns; when
// one of them has ended, somebody does.
func TestStandsBack(t *testing.T) {
	t.Parallel()
	w := oneTurn(t)
	w.cores = 2
	w.courtesy = courtesy{saved: time.Hour, since: time.Now(), shown: true} // more than a test takes
	one, first := box(t, w, make(chan string, 10))
	two, second := box(t, w, make(chan string, 10))
	one.PostUserMessage(asked("wait"))
	two.PostUserMessage(asked("wait"))
	first.next(1)
	second.next(1)
	w.mu.Lock()
	w.courtesy = courtesy{saved: time.Hour, since: time.Now(), shown: true}
	w.mu.Unlock()
	m, r := box(t, w, make(chan string, 10))
	m.PostUserMessage(told("behind"))
	w.mu.Lock()
	taking, behind := w.taking, w.behind.size
	w.mu.Unlock()
	if taking != 0 || behind != 1 || len(r.read) > 0 {
		t.Errorf("%d take turns, %d wait, %d were handled", taking, behind, len(r.read))
	}
	close(first.gate)
	if got := r.next(1); !slices.Equal(got, []string{"behind"}) {
		t.Error(got)
	}
	close(second.gate)
}

// TestCourtesyEnds: who stands back takes turns again when courtesy has run out, though
// nobody has ended, and at once where too much waits.
func TestCourtesyEnds(t *testing.T) {
	t.Parallel()
	for name, backlog := range map[string]int{"it runs out": 1, "too much waits": courtesyBacklog} {
		w := oneTurn(t)
		w.cores = 1
		if backlog > 1 {
			w.courtesy = courtesy{saved: time.Hour, since: time.Now(), shown: true}
		}
		busy, keeper := box(t, w, make(chan string, 1))
		busy.PostUserMessage(asked("wait"))
		keeper.next(1)
		read := make(chan string, backlog)
		for range backlog {
			m, _ := box(t, w, read)
			m.PostUserMessage(told("behind"))
		}
		for range backlog {
			if got := <-read; got != "behind" {
				t.Error(name, got)
			}
			if backlog > 1 {
				break
			}
		}
		close(keeper.gate)
	}
}
