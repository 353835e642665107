package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestGiveBack: what happens in each calmTime, and how often memory is given back.
func TestGiveBack(t *testing.T) {
	for name, tt := range map[string]struct {
		each activity // what is added
		want int      // at the start, and of ten looks
	}{
		"nothing":                       {activity{}, 1},
		"little, and nothing taken":     {activity{steps: calmSteps / 2}, 1},
		"little, and more taken always": {activity{steps: calmSteps / 2, held: worth / 2}, 6},
		"much":                          {activity{steps: calmSteps, held: worth}, 1},
		"work that is no steps":         {activity{work: calmWork, held: worth}, 1},
		"little such work":              {activity{work: calmWork / 2}, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), startTime+10*calmTime+time.Second)
			defer cancel()
			began, released, looks := time.Now(), 0, activity{steps: 1, live: 1}
			now := func() activity {
				n := uint64(time.Since(began) / calmTime)
				return activity{looks.steps + n*tt.each.steps, looks.live, time.Duration(n) * tt.each.work, n * tt.each.held}
			}
			giveBack(ctx, now, func() { released++ })
			if released != tt.want {
				t.Errorf("%s: given back %d times, want %d", name, released, tt.want)
			}
		})
	}
}
