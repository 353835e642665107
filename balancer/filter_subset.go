package balancer

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// ServerListSubset keeps a few of many servers, drawn at random, and replaces the
// worst of them from time to time: Ribbon's ServerListSubsetFilter. One is for one
// balancer.
type ServerListSubset struct {
	Size           int           // 0: DefaultSubset
	MaxConnections int64         // calls under way above which a server is replaced
	MaxFailures    int64         // connection failures in a row above which it is
	ForceEliminate float64       // share of the size that is replaced at least; 0: DefaultForceEliminate, negative: none
	Every          time.Duration // between two replacements; 0: DefaultEvery
	Draw           Draw

	mu   sync.Mutex
	kept map[string]bool
	next int64 // when servers are replaced again
}

// DefaultForceEliminate is Ribbon's forceEliminatePercent.
const DefaultForceEliminate = 0.1

// Keep implements Filter.
func (f *ServerListSubset) Keep(servers []*Server, v View) []*Server {
	f.mu.Lock()
	defer f.mu.Unlock()
	size := cmp.Or(f.Size, DefaultSubset)
	var in, out []*Server
	for _, s := range servers {
		if f.kept[s.id] {
			in = append(in, s)
		} else {
			out = append(out, s)
		}
	}
	if f.kept != nil && v.Now >= f.next {
		in = f.eliminate(in, size, len(out), v.Now)
	}
	if f.kept == nil || v.Now >= f.next {
		every := f.Every
		if every <= 0 {
			every = DefaultEvery
		}
		f.next = v.Now + int64(every)
	}
	for len(in) < size && len(out) > 0 {
		i := f.Draw.below(len(out))
		in = append(in, out[i])
		out[i] = out[len(out)-1]
		out = out[:len(out)-1]
	}
	f.kept = make(map[string]bool, len(in))
	for _, s := range in {
		f.kept[s.id] = true
	}
	return in
}

// eliminate drops those over a limit, and of the rest the worst, as long as there
// are others to take their places.
func (f *ServerListSubset) eliminate(in []*Server, size, spare int, now int64) []*Server {
	slices.SortStableFunc(in, func(a, b *Server) int {
		return cmp.Or(cmp.Compare(b.successive.Load(), a.successive.Load()), cmp.Compare(b.under(now), a.under(now)))
	})
	share := cmp.Or(f.ForceEliminate, DefaultForceEliminate)
	least, gone := int(max(share, 0)*float64(size)), 0
	return slices.DeleteFunc(in, func(s *Server) bool {
		if gone < spare && (gone < least || s.under(now) > f.MaxConnections || s.successive.Load() > f.MaxFailures) {
			gone++
			return true
		}
		return false
	})
}
