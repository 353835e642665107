package consul

import (
	"testing"
	"time"
)

// A transaction that is not full goes out when nothing is under way, or when what
// is under way is not answered for long.
func TestGoes(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, tt := range map[string]struct {
		ready, out int
		quiet      time.Duration // since one was sent or answered
		want       bool
	}{
		"nothing to send":         {0, 0, time.Hour, false},
		"nothing under way":       {1, 0, 0, true},
		"one under way":           {1, partial, 0, false},
		"one is not answered":     {1, partial, slowAnswer, true},
		"several not answered":    {1, partial + 5, slowAnswer, true},
		"full":                    {fewOps - reservedOps, partial + 1, 0, true},
		"nothing, and one is out": {0, partial, slowAnswer, false},
	} {
		s := &Store{}
		s.most.Store(fewOps)
		c := &scheduler{s: s, ready: make([]*request, tt.ready), out: tt.out, since: now.Add(-tt.quiet)}
		if got := c.goes(now); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
