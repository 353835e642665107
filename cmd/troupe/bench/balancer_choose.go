package bench

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	lb "github.com/troupe-cloud/troupe/balancer"
)

// Sizes of what is measured of choices.
const (
	chosenFrom  = 1000 // servers, in four zones
	choosers    = 2    // goroutines
	chooseTimes = 7    // windows, of which the best counts: other work on the machine is not the rule's
	chooseBatch = 1024 // choices between two looks at the clock
)

// choices measures what a choice costs by each rule, and a request.
func choices(r *run) error {
	for _, c := range []struct{ rule, wanted string }{
		{"round-robin", "≤ 60 ns, 0 allocations"}, {"weighted-round-robin", ""}, {"random", ""}, {"p2c", "≤ 60 ns, 0 allocations"}, {"peak-ewma", "≤ 150 ns"},
		{"zone-avoidance", "≤ 150 ns"}, {"zone-aware", ""}, {"weighted-response-time", ""}, {"ring-hash", ""}, {"maglev", ""}, {"best-available", ""},
	} {
		rule, err := lb.RuleByName(c.rule)
		if err != nil {
			return err
		}
		took, allocs := choosing(rule, r.during/chooseTimes)
		r.add(fmt.Sprintf("balancer: choose of %d servers by %d goroutines, %s", chosenFrom, choosers, c.rule),
			fmt.Sprintf("%.0f ns, %.2f allocations", took, allocs), c.wanted, "")
	}
	return trips(r)
}

// choosing is the time and the allocations of one choice.
func choosing(rule lb.Rule, window time.Duration) (ns, allocs float64) {
	b := lb.New("bench", lb.Config{Rule: rule})
	defer b.Close()
	list := make([]lb.Endpoint, chosenFrom)
	for i := range list {
		list[i] = lb.Endpoint{Host: fmt.Sprintf("10.0.%d.%d", i/250, i%250+1), Port: 80, Weight: 1, Zone: string(rune('a' + i%4))}
	}
	b.Update(list)
	for _, s := range b.Set().All { // so that there are response times
		b.Begin(s).End(lb.OK)
	}
	for range chooseTimes {
		took, per := together(window, func() {
			var q lb.Request
			for range chooseBatch {
				q.Now = 0
				_, _ = b.Choose(&q) // there are servers
			}
		})
		if ns == 0 || took < ns {
			ns, allocs = took, per
		}
	}
	return ns, allocs
}

// together has choosers work for a while, and is the time of one of the things done:
// all that passed by all that was done.
func together(window time.Duration, batch func()) (ns, allocs float64) {
	var done atomic.Int64
	var all sync.WaitGroup
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	for range choosers {
		all.Go(func() {
			for time.Since(began) < window {
				batch()
				done.Add(chooseBatch)
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	n := float64(done.Load())
	return float64(took.Nanoseconds()) / n, float64(after.Mallocs-before.Mallocs) / n
}
