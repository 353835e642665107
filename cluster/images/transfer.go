package images

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/troupe-cloud/troupe/drivers/blobs"
	"github.com/troupe-cloud/troupe/messages"
)

// transfer fetches one content: pieces in random order from whoever has them,
// several at once. A piece that is here and checked is given to others at once.
type transfer struct {
	*pool
	part  *blobs.Partial
	order []int

	mu       sync.Mutex
	taken    map[int]bool
	progress time.Time
	relieved bool          // room was made once, and it was not enough
	news     chan struct{} // replaced and closed when something has changed
}

// Fetch brings a content from other nodes. What was fetched before goes on.
func (p *peers) Fetch(ctx context.Context, sha256, from string) error {
	pool := newPool(p.Images, sha256, from)
	ctx, cancel := context.WithCancel(ctx)
	defer pool.asking.Wait()
	defer cancel()
	for range maxRestarts {
		err := p.transfer(ctx, pool)
		if !errors.Is(err, blobs.ErrCorrupt) {
			return err
		}
	}
	return fmt.Errorf("what the nodes have as content %s is damaged: %w", sha256, messages.Unavailable)
}

func (i *Images) transfer(ctx context.Context, pool *pool) error {
	var from *source
	part, ok := i.local.Partial(pool.sha256)
	if !ok {
		sums, s, err := pool.sums(ctx)
		if err != nil {
			return err
		}
		if err := i.room(ctx, pool.sha256, sums.Size); err != nil {
			return err
		}
		if part, err = i.local.Begin(pool.sha256, sums); err != nil {
			return err
		}
		from = s
	}
	pool.mu.Lock()
	pool.part = part
	pool.mu.Unlock()
	t := &transfer{pool: pool, part: part, taken: map[int]bool{}, progress: time.Now(), news: make(chan struct{})}
	t.order = rand.Perm(len(part.Sums().Pieces))
	g, gctx := errgroup.WithContext(ctx)
	for range i.limits.Streams {
		g.Go(func() error { return t.run(gctx) })
	}
	if err := g.Wait(); err != nil {
		if errors.Is(err, messages.Exhausted) {
			part.Drop() // it takes room, and others need it
		}
		return err
	}
	release, err := part.Finish(ctx)
	if err != nil {
		if errors.Is(err, blobs.ErrCorrupt) && from != nil {
			pool.mu.Lock()
			from.badSums = true
			pool.mu.Unlock()
		}
		return err
	}
	return release(ctx)
}

// run fetches pieces until none is missing.
func (t *transfer) run(ctx context.Context) error {
	for {
		t.mu.Lock()
		news := t.news
		t.mu.Unlock()
		piece, s := t.next()
		switch {
		case s != nil:
			if err := t.fetch(ctx, piece, s); err != nil {
				return err
			}
		case t.part.Left() == 0:
			return nil
		default:
			if err := t.wait(ctx, news); err != nil {
				return err
			}
		}
	}
}

// next chooses a piece and who gives it. What nodes that fetch too can give comes
// before what only those have who must hold the content.
func (t *transfer) next() (int, *source) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pool.mu.Lock()
	defer t.pool.mu.Unlock()
	have, now := t.part.Have(), time.Now()
	for _, keepers := range []bool{false, true} {
		for _, piece := range t.order {
			if have[piece] || t.taken[piece] {
				continue
			}
			if s := t.best(piece, keepers, now); s != nil {
				t.taken[piece] = true
				return piece, s
			}
		}
	}
	return 0, nil
}

// fetch gets one piece. Only a failure on this side is an error: another source
// may do better.
func (t *transfer) fetch(ctx context.Context, piece int, s *source) error {
	w := t.part.Piece(piece)
	err := t.get(ctx, s, t.part.Sums(), piece, w, w.End)
	t.done(s)
	t.mu.Lock()
	delete(t.taken, piece)
	if err == nil {
		t.progress, t.relieved = time.Now(), false
	}
	close(t.news)
	t.news = make(chan struct{})
	t.mu.Unlock()
	var mine writeError
	if errors.As(err, &mine) {
		return t.relieve(ctx, mine)
	}
	return ctx.Err()
}

// relieve makes room when the disk is full, once: somebody else may have taken
// what was there when the fetch began.
func (t *transfer) relieve(ctx context.Context, err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !errors.Is(err, messages.Exhausted) || t.relieved {
		return err
	}
	t.relieved = true
	if e := t.i.room(ctx, "", 0); e != nil {
		return err
	}
	return nil
}

// wait waits until something may be had, and finds out who has something by now.
func (t *transfer) wait(ctx context.Context, news chan struct{}) error {
	t.mu.Lock()
	idle := time.Since(t.progress)
	t.mu.Unlock()
	if idle > t.i.limits.StallTime {
		return fmt.Errorf("nobody gives the content %s: %w", t.sha256, messages.Unavailable)
	}
	if t.claimLook() {
		if err := t.look(ctx); err != nil && t.alone() {
			if errors.Is(err, messages.Unavailable) {
				t.forgive()
			} else {
				return err
			}
		}
	}
	timer := time.NewTimer(t.i.limits.Pause/2 + rand.N(t.i.limits.Pause))
	defer timer.Stop()
	select {
	case <-news:
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// claimLook says whether it is time to look again, to one of those who ask.
func (p *pool) claimLook() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Before(p.again) {
		return false
	}
	p.again = now.Add(2 * p.i.limits.Pause)
	return true
}

// alone says whether no piece is under way.
func (t *transfer) alone() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.taken) == 0
}
