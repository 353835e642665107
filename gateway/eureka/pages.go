package eureka

import (
	"bytes"
	"compress/gzip"
	"sync"
	"time"
)

// pages keeps what answers look like until the view changes. Rendering a large
// registry takes a while: while it changes all the time, it is done again only so
// often that a part of the time goes into it.
type pages struct {
	mu    sync.Mutex
	of    map[pageKey]*page
	bytes int
	turn  uint64
	now   func() time.Time
	pack  chan struct{}
}

// pageKey is all that an answer depends on, besides what there is.
type pageKey struct {
	what    string // "apps", "delta", "app/NAME" …
	json    bool
	compact bool
	who     string // which services he may see; "": all
}

// page is one answer. Its first fields are under pages.mu, the rest under its own.
type page struct {
	turn  uint64
	bytes int
	dead  bool

	mu      sync.Mutex
	made    bool
	version uint64
	at      time.Time
	took    time.Duration
	body    []byte
	packed  []byte
}

func newPages(now func() time.Time) *pages {
	return &pages{of: map[pageKey]*page{}, now: now, pack: make(chan struct{}, maxPacking)}
}

// rendered is a body and, if asked for and not too much is being packed, the same
// with gzip.
type rendered struct{ body, packed []byte }

// get is the page as it was made at version, or is made by render now, which
// returns nil where there is nothing to show. A page is not older than lives.
func (p *pages) get(key pageKey, version uint64, lives time.Duration, pack bool, render func() (body []byte, version uint64)) rendered {
	g := p.page(key)
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := p.now(); !g.made || g.stale(version, lives, now) {
		g.body, g.version = render()
		g.packed, g.made, g.at = nil, true, now
		g.took = p.now().Sub(now)
		if g.body == nil {
			p.drop(key, g)
			return rendered{}
		}
	}
	if pack && g.packed == nil && len(g.body) >= gzipFrom {
		g.packed = p.gzip(g.body)
	}
	p.weigh(key, g, len(g.body)+len(g.packed))
	return rendered{g.body, g.packed}
}

// stale says whether the page has to be made anew.
func (g *page) stale(version uint64, lives time.Duration, now time.Time) bool {
	age := now.Sub(g.at)
	return lives > 0 && age > lives || g.version != version && age >= pageShare*g.took
}

func (p *pages) page(key pageKey) *page {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.of[key]
	if g == nil {
		g = &page{}
		p.of[key] = g
	}
	p.turn++
	g.turn = p.turn
	return g
}

func (p *pages) drop(key pageKey, g *page) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove(key, g)
}

func (p *pages) remove(key pageKey, g *page) {
	if p.of[key] == g {
		delete(p.of, key)
		p.bytes -= g.bytes
		g.bytes, g.dead = 0, true
	}
}

// weigh counts what a page holds, and forgets those that were asked for least
// lately where it is too much.
func (p *pages) weigh(key pageKey, g *page, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if g.dead {
		return
	}
	p.bytes += n - g.bytes
	g.bytes = n
	for (p.bytes > maxPageBytes || len(p.of) > maxPages) && len(p.of) > 1 {
		var oldest pageKey
		var least *page
		for k, o := range p.of {
			if o != g && (least == nil || o.turn < least.turn) {
				oldest, least = k, o
			}
		}
		p.remove(oldest, least)
	}
}

var packers = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is one there is
	return w
}}

// gzip packs a body; nil while too much is being packed already.
func (p *pages) gzip(body []byte) []byte {
	select {
	case p.pack <- struct{}{}:
		defer func() { <-p.pack }()
	default:
		return nil
	}
	var b bytes.Buffer
	w := packers.Get().(*gzip.Writer)
	w.Reset(&b)
	_, _ = w.Write(body) // a buffer takes everything
	_ = w.Close()
	packers.Put(w)
	return b.Bytes()
}
