package images

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/drivers/blobs"
	"github.com/troupe-cloud/troupe/messages"
)

// graves are the contents that were discarded a moment ago, so that a repair which
// began before does not bring them back.
type graves struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (g *graves) add(sha256 string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.at == nil {
		g.at = map[string]time.Time{}
	}
	for old, at := range g.at {
		if time.Since(at) > graveTime {
			delete(g.at, old)
		}
	}
	g.at[sha256] = time.Now()
}

func (g *graves) has(sha256 string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	at, ok := g.at[sha256]
	return ok && time.Since(at) <= graveTime
}

func (g *graves) rise(sha256 string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.at, sha256)
}

// Discard removes a content from every node, unless wanted says that an image
// refers to it. Each node asks for itself, when its own holds have ended. A node
// that cannot be told learns it by its sweep, at the latest when it comes back.
func (i *Images) Discard(ctx context.Context, sha256 string, wanted blobs.Referenced) error {
	if !validName(sha256) {
		return nil
	}
	yes, err := wanted(ctx, sha256)
	if err != nil || yes {
		return err
	}
	return errors.Join(i.discardHere(ctx, sha256, wanted), i.backend.Discard(ctx, sha256, wanted))
}

// discardHere discards what this node has of a content, or is getting.
func (i *Images) discardHere(ctx context.Context, sha256 string, wanted blobs.Referenced) error {
	if i.flying(sha256) {
		yes, err := wanted(ctx, sha256)
		if err != nil || yes {
			return err
		}
		if !i.holds.intended(sha256) {
			i.ground(sha256, fmt.Errorf("content %s was discarded: %w", sha256, messages.NotFound))
		}
	} else if p, ok := i.local.Partial(sha256); ok {
		p.Drop()
	}
	if err := i.local.Discard(ctx, sha256, wanted); err != nil {
		return err
	}
	if _, here := i.local.Has(sha256); !here {
		i.gone.add(sha256)
	}
	return nil
}

// Discard tells the other nodes.
func (p *peers) Discard(ctx context.Context, sha256 string, _ blobs.Referenced) error {
	p.broadcast(ctx, sha256)
	return nil
}

// broadcast tells all members to discard a content, and each a few times if it
// does not answer.
func (i *Images) broadcast(ctx context.Context, sha256 string) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, maxAsking)
	for _, m := range i.others() {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			i.tellDiscard(ctx, m, sha256)
		})
	}
	wg.Wait()
}

func (i *Images) tellDiscard(ctx context.Context, m view.Member, sha256 string) {
	var err error
	for try := range discardTries {
		if err = i.about(ctx, m, methodDiscard, sha256); err == nil || ctx.Err() != nil {
			break
		}
		select {
		case <-time.After(time.Duration(try+1) * maxPauses * i.limits.Pause):
		case <-ctx.Done():
		}
	}
	if err != nil {
		i.log.Info().Err(err).Str("sha256", sha256).Str("node", m.Name).Msg("a node was not told to discard a content; it will find out by its sweep")
	}
}

// Sweep discards here what no image refers to, and has the backend do the same
// with what is kept elsewhere.
func (i *Images) Sweep(ctx context.Context, wanted blobs.Referenced) (int, error) {
	n, err := i.local.Sweep(ctx, wanted)
	return n, errors.Join(err, i.backend.Sweep(ctx, wanted))
}

// Sweep has nothing to do: each node sweeps its own.
func (p *peers) Sweep(context.Context, blobs.Referenced) error { return nil }
