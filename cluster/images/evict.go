package images

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/troupe-cloud/troupe/drivers/blobs"
	"github.com/troupe-cloud/troupe/messages"
)

// evictBatch is how many contents the others are asked about at once.
const evictBatch = 64

// room makes room for a content of need bytes, by removing what was not used for
// the longest time and is kept elsewhere. Exhausted if there is none to make. The
// bound of the cache may be passed by what is in use; that of the disk not.
func (i *Images) room(ctx context.Context, sha256 string, need int64) error {
	lack, over, err := i.pressure(sha256, need)
	if err != nil || lack <= 0 && over <= 0 {
		return err
	}
	if lack > 0 {
		i.dropParts(0)
		if lack, over, err = i.pressure(sha256, need); err != nil {
			return err
		}
	}
	if err := i.evict(ctx, max(lack, over)); err != nil {
		return err
	}
	if lack, _, err = i.pressure(sha256, need); err == nil && lack > 0 {
		err = fmt.Errorf("there is no room left in the image store: %d bytes more are needed: %w", lack, messages.Exhausted)
	}
	return err
}

// pressure is how many bytes are too few on the disk, and too many in the cache.
func (i *Images) pressure(sha256 string, need int64) (lack, over int64, err error) {
	free, err := i.local.Free()
	if err != nil {
		return 0, 0, err
	}
	lack = need + i.limits.FreeBytes + i.local.Promised() - free
	if i.limits.CacheBytes == 0 {
		return lack, 0, nil
	}
	for _, u := range i.local.Usage() {
		if !i.backend.Bound(u.SHA256) {
			over += u.Size
		}
	}
	if sha256 != "" && !i.backend.Bound(sha256) {
		over += need
	}
	return lack, over - i.limits.CacheBytes, nil
}

// evict removes contents until so many bytes are free, or none is left that may go.
func (i *Images) evict(ctx context.Context, bytes int64) error {
	unused := time.Now().Add(-i.limits.UseTime)
	candidates := slices.DeleteFunc(i.local.Usage(), func(u blobs.Usage) bool {
		return u.Held || u.Linked || u.Used.After(unused) || i.backend.Bound(u.SHA256)
	})
	slices.SortFunc(candidates, func(a, b blobs.Usage) int {
		return cmp.Or(a.Used.Compare(b.Used), cmp.Compare(a.SHA256, b.SHA256))
	})
	for batch := range slices.Chunk(candidates, evictBatch) {
		if bytes <= 0 || ctx.Err() != nil {
			break
		}
		size := map[string]int64{}
		var names []string
		for _, u := range batch {
			size[u.SHA256] = u.Size
			names = append(names, u.SHA256)
		}
		for _, name := range i.backend.Expendable(ctx, names) {
			if bytes <= 0 {
				break
			}
			gone, err := i.local.Evict(name, unused, func() bool { return !i.backend.Bound(name) })
			if err != nil {
				return err
			}
			if gone {
				bytes -= size[name]
				i.counters.evicted.Add(1)
				i.log.Debug().Str("sha256", name).Int64("bytes", size[name]).Msg("content evicted")
			}
		}
	}
	return ctx.Err()
}

// Bound says whether this node is a keeper.
func (p *peers) Bound(sha256 string) bool { return p.keeps(sha256) }

// Expendable are those whose keepers all say that they have them and know that
// they have to. A keeper answers under the lock under which it evicts; so whoever
// evicts relies on copies that nobody evicts before he is asked, in turn, whether
// he is a keeper, which this node then is not. Nobody's view need be the newest.
func (p *peers) Expendable(ctx context.Context, sha256 []string) (yes []string) {
	sound := map[string]int{}
	ask := map[string][]string{}
	for _, content := range sha256 {
		for _, m := range p.keepers(content) {
			ask[m.Name] = append(ask[m.Name], content)
		}
	}
	for _, m := range p.others() {
		contents := ask[m.Name]
		if len(contents) == 0 {
			continue
		}
		held, err := p.have(ctx, m, false, contents...)
		if err != nil {
			continue
		}
		for n, content := range contents {
			sound[content] += btoi(held[n].Whole && held[n].Keeper)
		}
	}
	for _, content := range sha256 {
		if n := len(p.keepers(content)); n > 0 && sound[content] >= min(p.limits.Copies, n) {
			yes = append(yes, content)
		}
	}
	return yes
}

// dropParts drops parts of contents with which nobody has gone on for so long.
func (i *Images) dropParts(unused time.Duration) {
	i.mu.Lock()
	var drop []string
	for sha256, ended := range i.fetched {
		if i.flights[sha256] == nil && time.Since(ended) >= unused {
			drop = append(drop, sha256)
			delete(i.fetched, sha256)
		}
	}
	i.mu.Unlock()
	for _, sha256 := range drop {
		if p, ok := i.local.Partial(sha256); ok && !i.flying(sha256) {
			p.Drop()
		}
	}
}
