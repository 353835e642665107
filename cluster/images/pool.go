package images

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/drivers/blobs"
	"github.com/troupe-cloud/troupe/messages"
)

// pool is who may have a content, as one fetcher has found out.
type pool struct {
	i      *Images
	sha256 string
	asking sync.WaitGroup // to be waited for when nothing is fetched any more

	mu      sync.Mutex
	sources map[string]*source // by name
	part    *blobs.Partial     // what is here, if it is fetched to be kept
	sentOn  map[int]int        // how often somebody named others for a piece
	begun   bool               // somebody was asked
	again   time.Time          // not to be asked again before
}

// source is one node in a pool.
type source struct {
	member   view.Member
	whole    bool
	keeper   bool      // it has to hold the content, so everybody comes to it
	pieces   []byte    // of a part
	told     time.Time // when it last said what it has
	until    time.Time // it is busy or broken, and not to be asked before
	pause    time.Duration
	open     int  // requests under way
	asked    bool // what it has, and has not answered
	failures int  // in a row
	wrong    bool // what came from it was not the content
	badSums  bool
}

func (s *source) has(piece int) bool {
	return s.whole || piece >= 0 && piece/8 < len(s.pieces) && s.pieces[piece/8]&(1<<(piece%8)) != 0
}

func (s *source) usable() bool {
	return !s.wrong && s.failures < maxFailures && (s.whole || slices.ContainsFunc(s.pieces, func(b byte) bool { return b != 0 }))
}

// helps says whether a source has something that is not here yet; have is nil if
// nothing is.
func (s *source) helps(have []bool) bool {
	if !s.usable() || s.whole || have == nil {
		return s.usable()
	}
	for piece, here := range have {
		if !here && s.has(piece) {
			return true
		}
	}
	return false
}

func newPool(i *Images, sha256, from string) *pool {
	p := &pool{i: i, sha256: sha256, sources: map[string]*source{}, sentOn: map[int]int{}}
	p.meet([]string{from})
	return p
}

// maxSources is how many nodes one fetch is told of by others and remembers: each
// is asked now and then what it has by now, and each is a connection. A dozen at
// random for everyone are enough for pieces to get to all.
const maxSources = 12

// hear adds nodes that others have named, as long as there are not enough.
func (p *pool) hear(names []string) {
	p.mu.Lock()
	free := maxSources
	for _, s := range p.sources {
		if !s.wrong && s.failures < maxFailures && !s.keeper {
			free--
		}
	}
	p.mu.Unlock()
	p.meet(names[:max(0, min(free, len(names)))])
}

// meet adds nodes that may have something.
func (p *pool) meet(names []string) {
	v := p.i.cfg.View()
	if v == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range names {
		m, ok := v.ByName(name)
		if s := p.sources[name]; ok && name != p.i.cfg.Self && (s == nil || s.member.ID != m.ID) {
			p.sources[name] = &source{member: m}
		}
	}
}

// look finds out who has the content: first those who should, then, if they
// cannot help, everybody. Later it asks again those who have a part of it.
// NotFound if everybody says that he has nothing; Unavailable if somebody who
// says nothing may have it.
func (p *pool) look(ctx context.Context) error {
	p.mu.Lock()
	first := !p.begun
	p.begun, p.again = true, time.Now().Add(2*p.i.limits.Pause)
	p.mu.Unlock()
	if first {
		order := p.i.ranked(p.sha256)
		for _, m := range order[:min(firstAsked, len(order))] {
			p.meet([]string{m.Name})
		}
	}
	p.ask(ctx, p.due(maxSources))
	p.ask(ctx, p.due(maxSources)) // whom they have named
	if p.help() {
		return nil
	}
	for _, m := range p.i.others() {
		p.meet([]string{m.Name})
	}
	p.mu.Lock()
	everybody := len(p.sources)
	for _, s := range p.sources {
		s.told = time.Time{}
	}
	p.mu.Unlock()
	silent := p.ask(ctx, p.due(everybody))
	p.mu.Lock()
	p.again = time.Now().Add(3 * maxPauses * p.i.limits.Pause) // it was many who were asked
	for _, s := range p.sources {
		silent += btoi(s.asked) // by a question before this one
	}
	p.mu.Unlock()
	switch {
	case p.help():
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case silent > 0:
		return fmt.Errorf("no node that answers has the content %s, and %d do not answer: %w", p.sha256, silent, messages.Unavailable)
	}
	return fmt.Errorf("no node has the content %s: %w", p.sha256, messages.NotFound)
}

// due are sources of which it is not known, or not known any more, what they have:
// at most so many.
func (p *pool) due(limit int) (all []*source) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for _, s := range p.sources {
		fresh := s.whole || now.Sub(s.told) < maxPauses*p.i.limits.Pause
		if !s.wrong && !s.asked && !(fresh && !s.told.IsZero()) && (now.After(s.until) || s.told.IsZero()) {
			all = append(all, s)
		}
		if len(all) == limit {
			break // the order is a random one
		}
	}
	return all
}

// help says whether anybody is left who has something that is not here: nodes that
// all have the same part of a content, and nothing else, wait for each other in vain.
func (p *pool) help() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	var have []bool
	if p.part != nil {
		have = p.part.Have()
	}
	for _, s := range p.sources {
		if s.helps(have) {
			return true
		}
	}
	return false
}

// maxAsking is how many are asked at once.
const maxAsking = 8

// ask asks sources what they have, until one can help: the others that were asked
// by then may answer later. It answers how many gave no answer. So a node that
// hangs delays nothing, and when many are slow not everybody is asked.
func (p *pool) ask(ctx context.Context, who []*source) (silent int) {
	answered := make(chan bool, len(who))
	enough := make(chan struct{})
	defer close(enough)
	slots := make(chan struct{}, maxAsking)
	for _, s := range who {
		p.mu.Lock()
		s.asked = true
		p.mu.Unlock()
		p.asking.Go(func() {
			told := false
			select {
			case slots <- struct{}{}:
				told = p.askOne(ctx, s)
				<-slots
			case <-enough:
			}
			p.mu.Lock()
			s.asked = false
			p.mu.Unlock()
			answered <- told
		})
	}
	for range who {
		if !<-answered {
			silent++
		} else if p.help() {
			break
		}
	}
	return silent
}

func (p *pool) askOne(ctx context.Context, s *source) bool {
	held, err := p.i.have(ctx, s.member, true, p.sha256)
	if err != nil {
		p.failed(s)
		return false
	}
	p.told(s, held[0])
	return true
}

// told notes what a source has said.
func (p *pool) told(s *source, held *messages.BlobHeld) {
	p.mu.Lock()
	s.whole, s.keeper, s.pieces, s.told, s.failures = held.Whole, held.Keeper, held.Pieces, time.Now(), 0
	p.mu.Unlock()
	p.hear(held.Others)
}
