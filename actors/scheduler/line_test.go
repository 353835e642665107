package scheduler

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/troupe-cloud/troupe/messages"
)

// TestLine does what a slice does that is searched from its beginning, and leaves
// the line it came from as it was.
func TestLine(t *testing.T) {
	t.Parallel()
	shown := func(all []*messages.ScheduleInstance) (said []string) {
		for _, m := range all {
			said = append(said, fmt.Sprintf("%s/%d", m.InstanceId, m.Attempt))
		}
		return said
	}
	everybody := func(l line) []string {
		all, rest := l.leave(l.len())
		if rest.len() != 0 {
			t.Errorf("%d are left of all", rest.len())
		}
		return shown(all)
	}
	for seed := range uint64(5) {
		dice := rand.New(rand.NewPCG(seed, 3))
		var l line
		var want []*messages.ScheduleInstance
		for n := range 400 {
			before, stood := l, everybody(l)
			if dice.IntN(50) == 0 {
				var got []*messages.ScheduleInstance
				leave := dice.IntN(60)
				got, l = l.leave(leave)
				leave = min(leave, len(want))
				if !slices.Equal(shown(got), shown(want[:leave])) {
					t.Fatalf("seed %d, %d: left %v of %v", seed, n, shown(got), shown(want))
				}
				want = want[leave:]
			} else {
				m := &messages.ScheduleInstance{InstanceId: fmt.Sprint(dice.IntN(60)), Attempt: int32(dice.IntN(3))}
				l = l.join(m)
				if !slices.ContainsFunc(want, func(w *messages.ScheduleInstance) bool {
					return w.InstanceId == m.InstanceId && w.Attempt >= m.Attempt
				}) {
					want = append(slices.Clip(want), m)
				}
			}
			if got := everybody(l); !slices.Equal(got, shown(want)) {
				t.Fatalf("seed %d, %d: %v wait, not %v", seed, n, got, shown(want))
			}
			if got := everybody(before); n%50 == 0 && !slices.Equal(got, stood) {
				t.Fatalf("seed %d, %d: the line before has become %v from %v", seed, n, got, stood)
			}
		}
	}
}
