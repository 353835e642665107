package cluster

import (
	"testing"
	"time"
)

// TestSlots: at first few grains come up at once, and later as many as may.
func TestSlots(t *testing.T) {
	began := time.Now()
	s := newSlots(began)
	for _, tt := range []struct {
		after time.Duration
		want  int
	}{{0, sweepFirst}, {sweepDouble - 1, sweepFirst}, {sweepDouble, 2 * sweepFirst}, {3 * sweepDouble, 8 * sweepFirst}, {time.Minute, sweepWidth}, {time.Hour, sweepWidth}} {
		s.widen(began.Add(tt.after))
		if got := cap(s.taken) - len(s.taken); got != tt.want {
			t.Errorf("after %v %d are free, want %d", tt.after, got, tt.want)
		}
	}
}
