package balancer

import (
	"math"
	"slices"
	"sync/atomic"
	"time"
)

// Constants of a server's statistics.
const (
	samples    = 512              // response times that are kept
	ewmaDecay  = 10 * time.Second // time constant of the moving average: Finagle's
	unknownRTT = time.Second      // what is assumed of a server that was never called: Tower's
	lostActive = 10 * time.Minute // after which calls under way that nobody ends are forgotten: Ribbon's 600 s
)

// stats is what calls have shown of one server. Safe for concurrent use; the
// fields that calls change most stand first, on a line of their own.
type stats struct {
	active  atomic.Int64  // calls under way
	ewma    atomic.Uint64 // float64 bits: nanoseconds, moving average that jumps up at once
	stamped atomic.Int64  // when ewma was last moved
	_       [40]byte

	calls, failed atomic.Int64 // ended
	changed       atomic.Int64 // when active was last changed
	successive    atomic.Int64 // connection failures in a row
	badAnswers    atomic.Int64 // failed answers in a row
	intervalCalls atomic.Int64 // of the interval of Outliers
	intervalFails atomic.Int64
	sumNanos      atomic.Int64
	sumSquares    atomic.Uint64 // float64 bits, of milliseconds

	recent recent
}

// recent keeps the last response times. Safe for concurrent use.
type recent struct {
	next  atomic.Uint64
	times [samples]atomic.Uint32 // microseconds; 0: none
}

func (r *recent) add(took time.Duration) {
	r.times[r.next.Add(1)%samples].Store(uint32(min(max(took.Microseconds(), 1), math.MaxUint32)))
}

// begin counts a call that starts at now (nanoseconds of the balancer's clock).
func (s *stats) begin(now int64) {
	s.active.Add(1)
	s.changed.Store(now)
}

// under is how many calls are under way.
func (s *stats) under(now int64) int64 {
	n := s.active.Load()
	if n <= 0 {
		return 0
	}
	if now-s.changed.Load() > int64(lostActive) {
		s.active.CompareAndSwap(n, 0)
		return 0
	}
	return n
}

// end counts a call that took so long.
func (s *stats) end(now int64, took time.Duration, counts bool) {
	s.active.Add(-1)
	s.changed.Store(now)
	s.calls.Add(1)
	s.intervalCalls.Add(1)
	if !counts {
		return // it says nothing about how fast the server is
	}
	s.observe(now, took)
	s.sumNanos.Add(int64(took))
	addFloat(&s.sumSquares, ms(took)*ms(took))
	s.recent.add(took)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func addFloat(to *atomic.Uint64, d float64) {
	for {
		old := to.Load()
		if to.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+d)) {
			return
		}
	}
}

// observe moves the average: up at once, down with a time constant of ewmaDecay.
func (s *stats) observe(now int64, took time.Duration) {
	rtt := float64(max(took, 1))
	old := math.Float64frombits(s.ewma.Load())
	before := s.stamped.Swap(now)
	if rtt < old {
		w := math.Exp(-float64(max(now-before, 0)) / float64(ewmaDecay))
		rtt = old*w + rtt*(1-w)
	}
	s.ewma.Store(math.Float64bits(rtt))
}

// cost is the average times the calls that are there already and one more.
func (s *stats) cost(now int64) float64 {
	rtt := math.Float64frombits(s.ewma.Load())
	active := s.active.Load()
	if rtt == 0 {
		if active <= 0 {
			return 0 // it is tried first, by one
		}
		return float64(unknownRTT) * float64(active+1)
	}
	if idle := now - s.stamped.Load(); idle > int64(ewmaDecay) {
		rtt /= float64(idle) / float64(ewmaDecay) // nobody called: it may have become better
	}
	return rtt * float64(max(active, 0)+1)
}

// mean is the average response time; 0: none is known.
func (s *stats) mean() time.Duration {
	n := s.calls.Load()
	if n == 0 {
		return 0
	}
	return time.Duration(s.sumNanos.Load() / n)
}

// takeInterval is what was tallied since the last time.
func (s *stats) takeInterval() tally {
	return tally{s.intervalCalls.Swap(0), s.intervalFails.Swap(0)}
}

// quantiles of the response times that are kept, in the order of qs (0 to 1); 0:
// there are none.
func (r *recent) quantiles(qs ...float64) []time.Duration {
	sorted := make([]uint32, 0, samples)
	for i := range r.times {
		if v := r.times[i].Load(); v > 0 {
			sorted = append(sorted, v)
		}
	}
	slices.Sort(sorted)
	out := make([]time.Duration, len(qs))
	if len(sorted) == 0 {
		return out
	}
	for i, q := range qs {
		at := min(int(q*float64(len(sorted))), len(sorted)-1)
		out[i] = time.Duration(sorted[at]) * time.Microsecond
	}
	return out
}
