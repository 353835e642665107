package cluster

import (
	"testing"

	"github.com/troupe-cloud/troupe/messages"
)

// TestOffer: what comes on a lane while its first order has not begun, runs, or
// runs with another behind it.
func TestOffer(t *testing.T) {
	t.Parallel()
	const (
		start = messages.OrderKind_ORDER_KIND_START
		look  = messages.OrderKind_ORDER_KIND_LOOK
	)
	order := func(n uint64, k messages.OrderKind) *task {
		return &task{&messages.OrderHost{InstanceId: "i", Order: n, Kind: k}, 1}
	}
	later := func(n uint64, k messages.OrderKind) *task { // in a newer epoch
		return &task{order(n, k).OrderHost, 2}
	}
	for name, tt := range map[string]struct {
		running, next, offered *task
		taken, cancelled       bool // offered comes next; running is broken off
	}{
		"not begun, newer":            {nil, order(1, start), order(2, start), true, false},
		"not begun, the same":         {nil, order(1, start), order(1, start), false, false},
		"not begun, older":            {nil, order(2, start), order(1, start), false, false},
		"not begun, a look":           {nil, order(1, start), order(1, look), false, false},
		"not begun, a newer look":     {nil, order(1, start), order(2, look), true, false},
		"a look not begun":            {nil, order(1, look), order(1, start), true, false},
		"runs, newer":                 {order(1, start), nil, order(2, start), true, true},
		"runs, the same":              {order(1, start), nil, order(1, start), false, false},
		"runs, older":                 {order(2, start), nil, order(1, start), false, false},
		"runs, a look":                {order(1, start), nil, order(1, look), true, false},
		"a look runs, a look":         {order(1, look), nil, order(1, look), false, false},
		"a look runs, its order":      {order(1, look), nil, order(1, start), true, true},
		"runs, newer than the next":   {order(1, start), order(2, start), order(3, start), true, true},
		"runs, older than the next":   {order(1, start), order(3, start), order(2, start), false, true},
		"runs, a look behind, newer":  {order(1, start), order(1, look), order(2, start), true, true},
		"runs, the same, later":       {order(1, start), nil, later(1, start), true, true},
		"runs later, the same before": {later(1, start), nil, order(1, start), false, false},
		"a look runs, a look later":   {order(1, look), nil, later(1, look), true, true},
		"not begun, the same, later":  {nil, order(1, start), later(1, start), true, false},
		"runs, a look behind, a look": {order(1, start), order(1, look), order(1, look), false, false},
	} {
		cancelled := false
		l := &lane{running: tt.running, next: tt.next}
		if tt.running != nil {
			l.cancel = func() { cancelled = true }
		}
		l.offer(tt.offered)
		if taken := l.next == tt.offered; taken != tt.taken || cancelled != tt.cancelled {
			t.Errorf("%s: taken %v, cancelled %v", name, taken, cancelled)
		}
		if !tt.taken && l.next != tt.next {
			t.Errorf("%s: what was next is lost", name)
		}
	}
}
