package balancer

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"strconv"
)

// Sizes of tables.
const (
	ringPoints = 1024 // at least: Envoy's minimum_ring_size
	eachPoints = 100  // for each server
	maxPoints  = 1 << 20
	maglevSize = 65537 // a prime: Envoy's, and the paper's smaller one
)

// Hash makes a Key of text: FNV-1a, stirred, the same in every process.
func Hash(text string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	return max(stir(h), 1)
}

// stir spreads h over all bits. Source: the finaliser of MurmurHash3.
func stir(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// RingHash sends calls of one key to one server, and moves few keys when servers
// come and go: consistent hashing, each server as many points as its weight. Calls
// without a key are drawn. Source: Karger et al. (1997); Envoy's ring hash.
type RingHash struct{ Draw Draw }

type point struct {
	at     uint64
	server int32
}

// Prepare implements Preparer.
func (*RingHash) Prepare(set *Set, _ int64) any {
	most := 0.0
	for _, w := range set.weights {
		most = max(most, w)
	}
	// Both are powers of two, so that a server that comes or goes hardly ever changes
	// how many points the others have; and more points begin with those of fewer.
	scale, each := math.Exp2(math.Ceil(math.Log2(most))), eachPoints
	for each*len(set.Servers) < ringPoints {
		each *= 2
	}
	for each > 1 && each*len(set.Servers) > maxPoints {
		each /= 2
	}
	ring := make([]point, 0, each*len(set.Servers))
	for i, s := range set.Servers {
		for j := range max(int(float64(each)*set.weights[i]/scale), 1) {
			ring = append(ring, point{Hash(s.id + "_" + strconv.Itoa(j)), int32(i)})
		}
	}
	slices.SortFunc(ring, func(a, b point) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.server, b.server)) })
	return ring
}

// Choose implements Rule.
func (r *RingHash) Choose(set *Set, q *Request) *Server {
	ring, _ := set.table.([]point)
	if len(ring) == 0 {
		return nil
	}
	start := q.hash(r.Draw)
	at := sort.Search(len(ring), func(i int) bool { return ring[i].at >= start })
	for i := range ring {
		s := set.Servers[ring[(at+i)%len(ring)].server]
		if !q.tried(s) {
			return s
		}
	}
	return nil
}

// hash is where a call begins to look.
func (r *Request) hash(d Draw) uint64 {
	if r.Key != 0 {
		return stir(r.Key)
	}
	return d.word()
}

func (r *Request) tried(s *Server) bool {
	for _, t := range r.Tried {
		if t.history == s.history {
			return true
		}
	}
	return false
}

// Maglev is RingHash with a table in which every server has its even share, and
// which is looked up in constant time; a few more keys move when servers change.
// Source: Eisenbud et al., Maglev (NSDI 2016), section 3.4.
type Maglev struct{ Draw Draw }

// Prepare implements Preparer.
func (*Maglev) Prepare(set *Set, _ int64) any {
	type seat struct {
		offset, skip, next uint64
		weight, credit     float64
	}
	most := 0.0
	for _, w := range set.weights {
		most = max(most, w)
	}
	seats := make([]seat, len(set.Servers))
	for i, s := range set.Servers {
		h := Hash(s.id)
		seats[i] = seat{offset: h % maglevSize, skip: stir(h^0x9e3779b97f4a7c15)%(maglevSize-1) + 1, weight: set.weights[i] / most}
	}
	table := make([]int32, maglevSize)
	for i := range table {
		table[i] = -1
	}
	for filled := 0; ; {
		for i := range seats {
			s := &seats[i]
			if s.credit += s.weight; s.credit < 1 {
				continue
			}
			s.credit--
			at := (s.offset + s.next*s.skip) % maglevSize
			for table[at] >= 0 {
				s.next++
				at = (s.offset + s.next*s.skip) % maglevSize
			}
			table[at] = int32(i)
			s.next++
			if filled++; filled == maglevSize {
				return table
			}
		}
	}
}

// Choose implements Rule.
func (r *Maglev) Choose(set *Set, q *Request) *Server {
	table, _ := set.table.([]int32)
	if len(table) == 0 {
		return nil
	}
	h := q.hash(r.Draw)
	for range min(len(q.Tried)*4+1, maglevSize) {
		if s := set.Servers[table[h%maglevSize]]; !q.tried(s) {
			return s
		}
		h = stir(h + 1)
	}
	return nil
}
