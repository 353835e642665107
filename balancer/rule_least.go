package balancer

import "math"

// P2C draws two servers and takes the one with fewer calls under way for its
// weight: nearly as good as looking at all, at no cost, and without a herd running
// to the same one. Source: Mitzenmacher, The Power of Two Choices in Randomized
// Load Balancing (2001); the default of Envoy's least request and Finagle.
type P2C struct{ Draw Draw }

// Choose implements Rule.
func (r *P2C) Choose(set *Set, _ *Request) *Server {
	i, j := r.Draw.two(len(set.Servers))
	a, b := set.hot[i].active.Load(), set.hot[j].active.Load()
	if set.even && b < a || !set.even && float64(b+1)*set.weights[i] < float64(a+1)*set.weights[j] {
		i = j
	}
	return set.Servers[i]
}

// two draws two different places of n; of one, twice the same.
func (d Draw) two(n int) (int, int) {
	if n < 2 {
		return 0, 0
	}
	// One word is chance enough for both: multiplied, its halves are less than n and
	// than n-1, and as even as they need to be.
	w := d.word()
	i, j := int(w>>32*uint64(n)>>32), int(w&math.MaxUint32*uint64(n-1)>>32)
	if j >= i {
		j++
	}
	return i, j
}

// PeakEWMA draws two servers and takes the one where a call costs less: the moving
// average of its response times, which jumps up at once and decays in 10 s, times
// the calls under way. Source: Finagle.
type PeakEWMA struct{ Draw Draw }

// Choose implements Rule.
func (r *PeakEWMA) Choose(set *Set, q *Request) *Server {
	i, j := r.Draw.two(len(set.Servers))
	now := q.roughly()
	x, y := set.hot[i].cost(now), set.hot[j].cost(now)
	if !set.even {
		x, y = x*set.weights[j], y*set.weights[i]
	}
	if y < x {
		i = j
	}
	return set.Servers[i]
}

// BestAvailable takes the server with the fewest calls under way of all: Ribbon's
// BestAvailableRule. It looks at every server.
type BestAvailable struct{ turn turn }

// Choose implements Rule.
func (r *BestAvailable) Choose(set *Set, _ *Request) *Server {
	n := len(set.Servers)
	start := r.turn.next(n) // or the first would get all that is even
	best, least := start, set.hot[start].active.Load()
	for i := start + 1; i < start+n && least > 0; i++ {
		at := i
		if at >= n {
			at -= n
		}
		if a := set.hot[at].active.Load(); a < least {
			best, least = at, a
		}
	}
	return set.Servers[best]
}
