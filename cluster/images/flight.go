package images

import (
	"context"
	"fmt"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// flight is one fetch that any number wait for.
type flight struct {
	done    chan struct{}
	err     error // once done is closed
	waiters int
	cancel  context.CancelCauseFunc
}

// bring makes sure that a content is here: it is fetched once, however many ask.
// The fetch ends early when the last of them has given up; what has come by then
// is kept for the next.
func (i *Images) bring(ctx context.Context, sha256, from string) error {
	i.mu.Lock()
	f := i.flights[sha256]
	if f == nil {
		if _, here := i.local.Has(sha256); here {
			i.mu.Unlock()
			return nil
		}
		f = i.fly(sha256, from)
	}
	f.waiters++
	i.mu.Unlock()
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if f.waiters--; f.waiters == 0 {
		f.cancel(context.Cause(ctx))
		if i.flights[sha256] == f {
			delete(i.flights, sha256) // who comes now begins another
		}
	}
	return fmt.Errorf("content %s is still being fetched: %w", sha256, ctx.Err())
}

// fly begins a fetch; the caller has the lock.
func (i *Images) fly(sha256, from string) *flight {
	ctx, cancel := context.WithCancelCause(i.ctx)
	f := &flight{done: make(chan struct{}), cancel: cancel, err: errStopping}
	i.flights[sha256] = f
	if !i.background(func(context.Context) {
		defer cancel(nil)
		err := i.fetchOnce(ctx, sha256, from)
		if cause := context.Cause(ctx); err != nil && cause != nil {
			err = cause
		}
		i.land(sha256, f, err)
	}) {
		delete(i.flights, sha256)
		cancel(errStopping)
		close(f.done)
	}
	return f
}

var errStopping = fmt.Errorf("the node stops: %w", messages.Unavailable)

// fetchOnce waits for its turn, and fetches.
func (i *Images) fetchOnce(ctx context.Context, sha256, from string) error {
	select {
	case i.fetches <- struct{}{}:
		defer func() { <-i.fetches }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if _, here := i.local.Has(sha256); here { // one that was given up had come so far
		return nil
	}
	began := time.Now()
	err := i.backend.Fetch(ctx, sha256, from)
	if err != nil {
		i.log.Warn().Err(err).Str("sha256", sha256).Msg("a content could not be fetched")
		return err
	}
	size, _ := i.local.Has(sha256)
	i.log.Info().Str("sha256", sha256).Int64("bytes", size).Dur("took", time.Since(began)).Msg("content fetched")
	return nil
}

// land tells those who wait.
func (i *Images) land(sha256 string, f *flight, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.flights[sha256] == f {
		delete(i.flights, sha256)
	}
	if i.fetched[sha256] = time.Now(); err == nil {
		delete(i.fetched, sha256)
	}
	f.err = err
	close(f.done)
}

// ground ends the fetch of a content, if there is one; those who wait are told why.
func (i *Images) ground(sha256 string, why error) {
	i.mu.Lock()
	f := i.flights[sha256]
	delete(i.flights, sha256)
	i.mu.Unlock()
	if f == nil {
		return
	}
	f.cancel(why)
	<-f.done
	if p, ok := i.local.Partial(sha256); ok {
		p.Drop()
	}
}

// flying says whether a content is being fetched.
func (i *Images) flying(sha256 string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.flights[sha256] != nil
}
