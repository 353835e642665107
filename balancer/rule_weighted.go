package balancer

import (
	"math"
	"sort"
	"time"
)

// WeightedRoundRobin takes the servers in turn, as often as their weights say, and
// well mixed: one with weight 2 of 3 is never taken twice more than its due. It is
// gRPC's static stride scheduler, which needs no lock.
type WeightedRoundRobin struct{ turn turn }

const maxStride = math.MaxUint16

// Prepare implements Preparer.
func (*WeightedRoundRobin) Prepare(set *Set, _ int64) any {
	if set.even {
		return []uint64(nil)
	}
	most := 0.0
	for _, w := range set.weights {
		most = max(most, w)
	}
	strides := make([]uint64, len(set.weights))
	for i, w := range set.weights {
		strides[i] = uint64(math.Round(w / most * maxStride))
		if w > 0 {
			strides[i] = max(strides[i], 1)
		}
	}
	return strides
}

// Choose implements Rule.
func (r *WeightedRoundRobin) Choose(set *Set, _ *Request) *Server {
	strides, _ := set.table.([]uint64)
	if strides == nil {
		return set.Servers[r.turn.next(len(set.Servers))]
	}
	n := uint64(len(strides))
	for {
		at := r.turn.n.Add(1)
		i, round := at%n, at/n
		// Server i is taken in stride of maxStride rounds; where it begins depends on
		// i, so that servers of one weight do not skip the same rounds.
		if (strides[i]*round+i*maxStride/2)%maxStride >= maxStride-strides[i] {
			return set.Servers[i]
		}
	}
}

// WeightedResponseTime draws servers the more likely the faster they answer:
// Ribbon's WeightedResponseTimeRule. A server's weight is the sum of all average
// response times less its own.
type WeightedResponseTime struct {
	Draw  Draw
	Every time.Duration // between two looks at response times; 0: DefaultWeightEvery
	turn  turn
}

// DefaultWeightEvery is Ribbon's ServerWeightTaskTimerInterval.
const DefaultWeightEvery = 30 * time.Second

// leastWeight is the sum of weights below which they are taken for none.
const leastWeight = 0.001

// Prepare implements Preparer.
func (*WeightedResponseTime) Prepare(set *Set, _ int64) any {
	total := 0.0
	times := make([]float64, len(set.Servers))
	for i, s := range set.Servers {
		times[i] = ms(s.mean())
		total += times[i]
	}
	return responseWeights(times, total)
}

// responseWeights are the running sums of weights; nil: there are none.
func responseWeights(times []float64, total float64) []float64 {
	sums, sum := make([]float64, len(times)), 0.0
	for i, t := range times {
		sum += total - t
		sums[i] = sum
	}
	if sum < leastWeight {
		return nil
	}
	return sums
}

// Choose implements Rule.
func (r *WeightedResponseTime) Choose(set *Set, _ *Request) *Server {
	sums, _ := set.table.([]float64)
	if len(sums) != len(set.Servers) {
		return set.Servers[r.turn.next(len(set.Servers))]
	}
	at := r.Draw.float() * sums[len(sums)-1]
	return set.Servers[min(sort.SearchFloat64s(sums, at), len(sums)-1)]
}

// refresh is how often a set is to be prepared anew.
func (r *WeightedResponseTime) refresh() time.Duration {
	if r.Every > 0 {
		return r.Every
	}
	return DefaultWeightEvery
}
