package images

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// Repair sees to it that the keepers of the contents have them. Whoever holds a
// content does so, keeper or not: of two keepers that went at once, a third node
// may have the last copy. Only contents whose keepers are others than when all
// was in order are asked about: of n nodes, one that dies makes that of two nths.
func (p *peers) Repair(ctx context.Context, sha256 []string) error {
	if sha256 == nil {
		sha256 = p.unsettled()
	}
	if len(sha256) == 0 {
		return nil
	}
	lacking, asked, err := p.lacking(ctx, sha256)
	if err != nil {
		return err
	}
	g := new(errgroup.Group)
	g.SetLimit(repairStreams)
	var mu sync.Mutex
	var failed []error
	for _, content := range slices.Sorted(maps.Keys(lacking)) {
		g.Go(func() error {
			if err := p.repairOne(ctx, content, lacking[content]); err != nil {
				mu.Lock()
				failed = append(failed, err)
				mu.Unlock()
			}
			return nil
		})
	}
	_ = g.Wait()
	p.settle(asked, lacking)
	if len(failed) > 0 {
		return fmt.Errorf("%d of %d contents have too few copies: %w", len(failed), len(sha256), failed[0])
	}
	return nil
}

// unsettled are the contents here whose keepers are others than when they had them.
func (p *peers) unsettled() (all []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, sha256 := range p.local.List() {
		if now := starts(p.keepers(sha256)); now != p.inOrder[sha256] {
			all = append(all, sha256)
		}
	}
	return all
}

// lacking asks the keepers of the contents, all in one question each, and answers
// which of them lack which, and which keepers each content had when they were
// asked. One that does not answer may lack it.
func (p *peers) lacking(ctx context.Context, sha256 []string) (lacking map[string][]view.Member, asked map[string]string, err error) {
	if p.cfg.View() == nil {
		return nil, nil, fmt.Errorf("this node is no member: %w", messages.Unavailable)
	}
	ask, who := map[string][]string{}, map[string]view.Member{}
	asked = map[string]string{}
	for _, content := range sha256 {
		keepers := p.keepers(content)
		asked[content] = starts(keepers)
		for _, m := range keepers {
			if !p.isSelf(m) {
				ask[m.Name], who[m.Name] = append(ask[m.Name], content), m
			}
		}
	}
	lacking = map[string][]view.Member{}
	for name, contents := range ask {
		for batch := range slices.Chunk(contents, maxBatch) {
			held, err := p.have(ctx, who[name], false, batch...)
			for n, content := range batch {
				if err != nil || !held[n].Whole {
					lacking[content] = append(lacking[content], who[name])
				}
			}
		}
	}
	return lacking, asked, ctx.Err()
}

// repairOne has each of the keepers that lack a content fetch it, if it is wanted.
func (p *peers) repairOne(ctx context.Context, sha256 string, by []view.Member) error {
	wanted, err := p.cfg.Wanted(ctx, sha256)
	if err != nil {
		return err
	}
	if !wanted { // the sweep removes it, unless an upload is under way, which repairs when it is done
		return nil
	}
	var failed []error
	for _, m := range by {
		if err := p.haveKept(ctx, m, sha256, ""); err != nil {
			failed = append(failed, fmt.Errorf("node %s: %w", m.Name, err))
			continue
		}
		p.counters.repaired.Add(1)
		p.log.Info().Str("sha256", sha256).Str("node", m.Name).Msg("a copy was made again")
	}
	return errors.Join(failed...)
}

// settle notes which contents were in order by themselves, with the keepers that
// were asked: by now there may be others. Those that were repaired are looked at
// once more.
func (p *peers) settle(asked map[string]string, lacking map[string][]view.Member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for content, keepers := range asked {
		if len(lacking[content]) == 0 {
			p.inOrder[content] = keepers
		}
	}
	for content := range p.inOrder {
		if _, here := p.local.Has(content); !here {
			delete(p.inOrder, content)
		}
	}
	p.counters.short.Store(int64(len(lacking)))
}
