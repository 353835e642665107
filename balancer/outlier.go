package balancer

import (
	"math"
	"time"
)

// Outliers is the rule by which servers that answer, but badly, are left alone:
// Envoy's outlier detection and gRFC A50.
type Outliers struct {
	Consecutive int           // failed answers in a row; 0: they do not count
	Base        time.Duration // of the first ejection; the n-th takes n times as long
	Max         time.Duration // of any ejection
	Interval    time.Duration // between two looks at success rates, and after which one ejection is forgiven
	MaxShare    float64       // of all servers that may be ejected at once; one always may, if there are others

	// A success rate this many standard deviations below the mean ejects; 0: it does
	// not count. Only servers with MinCalls in an interval count, and only if there
	// are MinServers of them.
	Deviations float64
	MinCalls   int64
	MinServers int
}

// DefaultOutliers is Envoy's.
var DefaultOutliers = Outliers{
	Consecutive: 5, Base: 30 * time.Second, Max: 300 * time.Second, Interval: 10 * time.Second, MaxShare: 0.1,
	Deviations: 1.9, MinCalls: 100, MinServers: 5,
}

// Ejection is how long the server stays away that is ejected for the n-th time.
func (o Outliers) Ejection(n int) time.Duration {
	d := o.Base * time.Duration(max(n, 1))
	if d > o.Max || d < 0 {
		return o.Max
	}
	return d
}

// Room says whether one more of all servers may be ejected.
func (o Outliers) Room(ejected, all int) bool {
	if all < 2 {
		return false
	}
	return ejected < max(1, int(o.MaxShare*float64(all)))
}

// tally is what a server has answered in one interval.
type tally struct{ calls, failed int64 }

// Worst lists, by place, the servers whose success rate is too far below that of
// the others.
func (o Outliers) worst(tallies []tally) []int {
	if o.Deviations <= 0 {
		return nil
	}
	var sum, squares float64
	n := 0
	for _, t := range tallies {
		if t.calls >= max(o.MinCalls, 1) {
			r := t.rate()
			sum, squares, n = sum+r, squares+r*r, n+1
		}
	}
	if n < max(o.MinServers, 2) {
		return nil
	}
	mean := sum / float64(n)
	least := mean - o.Deviations*math.Sqrt(max(squares/float64(n)-mean*mean, 0))
	var worst []int
	for i, t := range tallies {
		if t.calls >= max(o.MinCalls, 1) && t.rate() < least {
			worst = append(worst, i)
		}
	}
	return worst
}

func (t tally) rate() float64 { return float64(t.calls-t.failed) / float64(t.calls) }
