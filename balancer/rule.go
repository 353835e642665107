package balancer

import (
	"math"
	"math/rand/v2"
	"sync/atomic"
)

// Rule chooses one server of a set. It is called from many goroutines at once, and
// must neither block nor change what it is given.
type Rule interface {
	// Choose picks one of set.Servers; nil: none suits, and any will do. The set is
	// not empty.
	Choose(set *Set, r *Request) *Server
}

// Preparer is a Rule that works something out for each new set, once. Choose gets
// it back by Set.Prepared.
type Preparer interface {
	Rule
	Prepare(set *Set, now int64) any
}

// Prepared is what the rule's Prepare has made of this set.
func (s *Set) Prepared() any { return s.table }

// Request is what a rule may know of a call.
type Request struct {
	// Key is what calls that should meet the same server have in common; 0: nothing.
	Key uint64
	// Hint is for rules of the user's own, as Spring's load balancer hands it on.
	Hint string
	// Tried are servers that this call has failed on.
	Tried []*Server
	// Now is the time on the balancer's clock, in nanoseconds; 0 until a rule or the
	// balancer has looked.
	Now int64

	of *Balancer
}

// Time is Now, looked up when it is first wanted.
func (r *Request) Time() int64 {
	if r.Now == 0 && r.of != nil {
		r.Now = r.of.clock()
	}
	return r.Now
}

// roughly is Time, or the time of a call of late: asking a clock takes longer than
// choosing.
func (r *Request) roughly() int64 {
	if r.Now == 0 && r.of != nil {
		return r.of.roughly.Load()
	}
	return r.Now
}

// Draw is where rules get chance from; nil: Go's own generator. It is called from
// many goroutines at once.
type Draw func() uint64

func (d Draw) below(n int) int {
	if d == nil {
		return int(rand.Uint32N(uint32(n)))
	}
	return int(d() % uint64(n))
}

func (d Draw) float() float64 {
	if d == nil {
		return rand.Float64()
	}
	return float64(d()>>11) / (1 << 53)
}

func (d Draw) word() uint64 {
	if d == nil {
		return rand.Uint64()
	}
	return d()
}

func power(x, y float64) float64 { return math.Pow(x, y) }

// turn is a counter that many goroutines take their turn by, on a cache line of its
// own.
type turn struct {
	_ [56]byte
	n atomic.Uint64
	_ [56]byte
}

func (t *turn) next(n int) int { return int(uint32(t.n.Add(1)) % uint32(n)) }

// RoundRobin takes one server after the other, whatever their weights are. Ribbon's
// RoundRobinRule.
type RoundRobin struct{ turn turn }

// Choose implements Rule.
func (r *RoundRobin) Choose(set *Set, _ *Request) *Server {
	return set.Servers[r.turn.next(len(set.Servers))]
}

// Random draws one server, each as likely as its weight. Ribbon's RandomRule, which
// knows no weights.
type Random struct{ Draw Draw }

// Prepare implements Preparer.
func (r *Random) Prepare(set *Set, _ int64) any {
	if set.even {
		return (*alias)(nil)
	}
	return newAlias(set.weights)
}

// Choose implements Rule.
func (r *Random) Choose(set *Set, _ *Request) *Server {
	if a, _ := set.table.(*alias); a != nil {
		return set.Servers[a.draw(r.Draw)]
	}
	return set.Servers[r.Draw.below(len(set.Servers))]
}

// alias draws from weights in constant time. Source: Vose, A linear algorithm for
// generating random numbers with a given distribution (1991).
type alias struct {
	share []float64
	other []int32
}

func newAlias(weights []float64) *alias {
	n := len(weights)
	a := &alias{make([]float64, n), make([]int32, n)}
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	var small, large []int32
	for i, w := range weights {
		a.share[i], a.other[i] = w*float64(n)/sum, int32(i)
		if a.share[i] < 1 {
			small = append(small, int32(i))
		} else {
			large = append(large, int32(i))
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		a.other[s] = l
		if a.share[l] -= 1 - a.share[s]; a.share[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	for _, rest := range [][]int32{small, large} { // what rounding has left over
		for _, i := range rest {
			a.share[i] = 1
		}
	}
	return a
}

func (a *alias) draw(d Draw) int {
	i := d.below(len(a.share))
	if a.share[i] >= 1 || d.float() < a.share[i] {
		return i
	}
	return int(a.other[i])
}
