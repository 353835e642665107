package images

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Limits of what a node remembers of who seeks what.
const (
	seekerTime  = time.Minute
	maxSeekers  = 256 // of one content
	maxSeekings = 1024
	// giveFreely is how often a node gives one piece away before it names those who
	// have it from there. So each piece spreads as a tree, and no node, whether it has
	// to hold the content or not, serves much more than that many copies of it.
	giveFreely = 3
	// maxPassed is how often a fetch lets itself be sent on for one piece before it
	// insists.
	maxPassed = 8
)

// seekers are the nodes that have asked for a content a moment ago: by now they
// have some of it. Who fetches is told of a few at random, and of those who were
// given the very piece that it asks for; so a hundred who come at once do not all
// read from the same ones.
type seekers struct {
	mu sync.Mutex
	of map[string]*seeking
}

type seeking struct {
	last  time.Time
	names map[string]time.Time
	given map[int64][]gift // by the offset of a piece
}

type gift struct {
	name string
	at   time.Time
}

// get is what is remembered of a content; nil if there is too much already. The
// caller has the lock.
func (s *seekers) get(sha256 string) *seeking {
	if s.of == nil {
		s.of = map[string]*seeking{}
	}
	of := s.of[sha256]
	if of == nil {
		if len(s.of) >= maxSeekings {
			s.prune()
		}
		if len(s.of) >= maxSeekings {
			return nil
		}
		of = &seeking{names: map[string]time.Time{}, given: map[int64][]gift{}}
		s.of[sha256] = of
	}
	of.last = time.Now()
	return of
}

// add notes that a node seeks a content.
func (s *seekers) add(sha256, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.get(sha256)
	if of == nil || name == "" {
		return
	}
	if len(of.names) >= maxSeekers {
		for old, at := range of.names {
			if time.Since(at) > seekerTime {
				delete(of.names, old)
			}
		}
	}
	if _, known := of.names[name]; known || len(of.names) < maxSeekers {
		of.names[name] = of.last
	}
}

// prune forgets contents that nobody seeks any more; the caller has the lock.
func (s *seekers) prune() {
	for sha256, of := range s.of {
		if time.Since(of.last) > seekerTime {
			delete(s.of, sha256)
		}
	}
}

// tidy is prune, now and then.
func (s *seekers) tidy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prune()
}

// others are a few of those who seek a content, without the one who asks.
func (s *seekers) others(sha256, but string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.of[sha256]
	if of == nil {
		return nil
	}
	var all []string
	for name, at := range of.names {
		if name != but && time.Since(at) <= seekerTime {
			all = append(all, name)
		}
	}
	rand.Shuffle(len(all), func(a, b int) { all[a], all[b] = all[b], all[a] })
	return all[:min(maxOthers, len(all))]
}

// gave notes that a node was given the piece at an offset. The latest few are
// remembered: they have told the fewest.
func (s *seekers) gave(sha256 string, offset int64, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.get(sha256)
	if of == nil || name == "" {
		return
	}
	gifts := append(slices.Clone(of.given[offset]), gift{name, of.last})
	of.given[offset] = gifts[max(0, len(gifts)-giveFreely):]
}

// given are the nodes that were given a piece a moment ago, without the one who asks.
func (s *seekers) given(sha256 string, offset int64, but string) (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.of[sha256]
	if of == nil {
		return nil
	}
	for _, g := range of.given[offset] {
		if g.name != but && time.Since(g.at) <= seekerTime {
			names = append(names, g.name)
		}
	}
	return names
}
