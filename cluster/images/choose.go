package images

import (
	"context"
	"math/rand/v2"
	"time"
)

// choose takes a source for a piece (-1: for the whole). Among those who have it,
// nodes that merely fetch it too come before those who have to hold it: these get
// rid of each piece a few times, and the others pass it on.
func (p *pool) choose(piece int) *source {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.best(piece, true, time.Now())
}

// best is choose; without keepers only if not allowed. The caller has the lock.
func (p *pool) best(piece int, keepers bool, now time.Time) *source {
	var best *source
	level, ties := 0, 0
	for _, s := range p.sources {
		if !s.usable() || !s.has(piece) || s.open >= maxOpen || now.Before(s.until) || s.keeper && !keepers {
			continue
		}
		l := s.open
		if s.keeper {
			l += maxOpen
		}
		switch {
		case best == nil || l < level:
			best, level, ties = s, l, 1
		case l == level:
			if ties++; rand.IntN(ties) == 0 {
				best = s
			}
		}
	}
	if best != nil {
		best.open++
	}
	return best
}

// done gives a source back that was chosen.
func (p *pool) done(s *source) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.open--
}

// passed notes that nodes have a piece, because the one who was asked for it gave
// it to them.
func (p *pool) passed(piece int, names []string) {
	p.meet(names)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sentOn[piece]++
	for _, name := range names {
		s := p.sources[name]
		if s == nil || s.whole {
			continue
		}
		for len(s.pieces) <= piece/8 {
			s.pieces = append(s.pieces, 0)
		}
		s.pieces[piece/8] |= 1 << (piece % 8)
		if s.told.IsZero() {
			s.told = time.Now()
		}
	}
}

// insists says whether a fetch was sent on for a piece often enough.
func (p *pool) insists(piece int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sentOn[piece] >= maxPassed
}

// served notes a success.
func (p *pool) served(s *source, piece int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.sentOn, piece)
	s.failures, s.pause = 0, 0
}

// busy notes that a source has too much to do: it is left alone for a while,
// each time for longer, and never for the same time as others leave it alone.
func (p *pool) busy(s *source) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.pause = min(max(2*s.pause, p.i.limits.Pause), maxPauses*p.i.limits.Pause)
	s.until = time.Now().Add(s.pause/2 + rand.N(s.pause))
}

// failed notes that a source does not answer, or broke off.
func (p *pool) failed(s *source) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.failures++
	s.told = time.Now()
	s.until = time.Now().Add(maxPauses*p.i.limits.Pause/2 + rand.N(maxPauses*p.i.limits.Pause))
}

// lost notes that a source does not have what it said.
func (p *pool) lost(s *source) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.whole, s.pieces, s.told = false, nil, time.Time{}
}

// wrong notes that what came from a source was not the content. It is not asked
// again, and told to look at what it has.
func (p *pool) wrong(s *source) {
	p.mu.Lock()
	again := s.wrong
	s.wrong = true
	p.mu.Unlock()
	if again {
		return
	}
	p.i.counters.wrong.Add(1)
	p.i.log.Warn().Str("sha256", p.sha256).Str("node", s.member.Name).Msg("a node served a damaged content")
	p.i.background(func(ctx context.Context) {
		if err := p.i.about(ctx, s.member, methodDoubt, p.sha256); err != nil {
			p.i.log.Warn().Err(err).Str("node", s.member.Name).Msg("the node could not be told of its damaged content")
		}
	})
}

// forgive lets sources that broke off be tried again, when there is nobody else.
func (p *pool) forgive() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.sources {
		if s.failures >= maxFailures {
			s.failures, s.told = 0, time.Time{}
		}
	}
}
