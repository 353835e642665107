package balancer

// P2C draws two servers and takes the one with fewer calls under way for its
// weight: nearly as good as looking at all, at no cost, and without a herd running
// to the same one. Source: Mitzenmacher, The Power of Two Choices in Randomized
// Load Balancing (2001); the default of Envoy's least request and Finagle.
type P2C struct{ Draw Draw }

// Choose implements Rule.
func (r *P2C) Choose(set *Set, _ *Request) *Server {
	i, j := r.Draw.two(len(set.Servers))
	a, b := set.Servers[i], set.Servers[j]
	if set.even {
		if b.active.Load() < a.active.Load() {
			return b
		}
		return a
	}
	if float64(b.active.Load()+1)*set.weights[i] < float64(a.active.Load()+1)*set.weights[j] {
		return b
	}
	return a
}

// two draws two different places of n; of one, twice the same.
func (d Draw) two(n int) (int, int) {
	if n < 2 {
		return 0, 0
	}
	i, j := d.below(n), d.below(n-1)
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
	a, b := set.Servers[i], set.Servers[j]
	now := q.Time()
	x, y := a.cost(now), b.cost(now)
	if !set.even {
		x, y = x*set.weights[j], y*set.weights[i]
	}
	if y < x {
		return b
	}
	return a
}

// BestAvailable takes the server with the fewest calls under way of all: Ribbon's
// BestAvailableRule. It looks at every server.
type BestAvailable struct{ turn turn }

// Choose implements Rule.
func (r *BestAvailable) Choose(set *Set, _ *Request) *Server {
	n := len(set.Servers)
	start := r.turn.next(n) // or the first would get all that is even
	best := set.Servers[start]
	least := best.active.Load()
	for i := 1; i < n; i++ {
		s := set.Servers[(start+i)%n]
		if a := s.active.Load(); a < least {
			best, least = s, a
		}
	}
	return best
}
