package images

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/troupe-cloud/troupe/drivers/blobs"
	"github.com/troupe-cloud/troupe/messages"
)

// maintain looks after the room on the disk.
func (i *Images) maintain() {
	tick := time.NewTicker(tickTime)
	defer tick.Stop()
	for {
		select {
		case <-i.ctx.Done():
			return
		case <-tick.C:
		}
		i.dropParts(partialLife)
		i.seekers.tidy()
		if err := i.room(i.ctx, "", 0); err != nil && i.ctx.Err() == nil {
			i.log.Warn().Err(err).Msg("the image store is full")
		}
	}
}

// mend looks after the copies: when the members are others, when an upload has
// been acknowledged, and now and then.
func (i *Images) mend() {
	sweep := time.NewTimer(i.sweepPause())
	repair := time.NewTimer(time.Hour)
	repair.Stop()
	defer sweep.Stop()
	defer repair.Stop()
	var due time.Time // of the next repair; zero: none
	all := false      // it has to look at everything
	start := ""       // as which member we looked at everything
	later := func(d time.Duration) {
		if at := time.Now().Add(d); due.IsZero() || at.Before(due) {
			due = at
			repair.Reset(d)
		}
	}
	for {
		var err error
		select {
		case <-i.ctx.Done():
			return
		case <-i.changed:
			if id := i.memberID(); id != "" && id != start { // what happened while we were away?
				start = id
				err = i.lookAtAll()
				all = err != nil
			} else {
				later(i.limits.RepairDelay)
			}
		case sha256 := <-i.pushed:
			err = i.backend.Repair(i.ctx, i.alsoPushed(sha256))
		case <-repair.C:
			due = time.Time{}
			if !all {
				err = i.backend.Repair(i.ctx, nil)
				break
			}
			err = i.lookAtAll()
			all = err != nil
		case <-sweep.C:
			sweep.Reset(i.sweepPause())
			i.scrub()
			err = i.lookAtAll()
			all = err != nil
		}
		if err != nil && i.ctx.Err() == nil {
			i.log.Warn().Err(err).Msg("not all contents of images are in order; it is tried again")
			later(max(repairRetry, i.limits.RepairDelay))
		}
	}
}

// alsoPushed is sha256 with what else was pushed by now.
func (i *Images) alsoPushed(sha256 string) []string {
	all := []string{sha256}
	for {
		select {
		case sha256 := <-i.pushed:
			all = append(all, sha256)
		default:
			return all
		}
	}
}

// sweepPause is SweepEvery, give or take a quarter: nodes do not sweep in step.
func (i *Images) sweepPause() time.Duration {
	return i.limits.SweepEvery*3/4 + rand.N(i.limits.SweepEvery/2+1)
}

// memberID is as whom this node is a member; "" if it is none.
func (i *Images) memberID() string {
	v := i.cfg.View()
	if v == nil {
		return ""
	}
	m, _ := v.ByName(i.cfg.Self)
	return m.ID
}

// lookAtAll discards what no image refers to, and repairs the rest.
func (i *Images) lookAtAll() error {
	n, err := i.Sweep(i.ctx, i.cfg.Wanted)
	if n > 0 {
		i.log.Info().Int("contents", n).Msg("removed contents that no image refers to")
	}
	return errors.Join(err, i.backend.Repair(i.ctx, i.local.List()))
}

// scrub reads one content, to find out what a disk has done to it.
func (i *Images) scrub() {
	if all := i.local.List(); len(all) > 0 {
		i.doubt(all[rand.IntN(len(all))])
	}
}

// doubt reads a content; if it is damaged, it is set aside, and fetched again if
// this node has to have it.
func (i *Images) doubt(sha256 string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.doubted[sha256] || len(i.doubted) >= maxBatch {
		return
	}
	i.doubted[sha256] = true
	began := i.background(func(ctx context.Context) {
		i.checks <- struct{}{}
		err := i.local.Verify(ctx, sha256)
		<-i.checks
		i.mu.Lock()
		delete(i.doubted, sha256)
		i.mu.Unlock()
		if !errors.Is(err, blobs.ErrCorrupt) {
			return
		}
		i.counters.corrupt.Add(1)
		i.log.Error().Str("sha256", sha256).Msg("the disk has damaged a content, which was set aside")
		if !i.backend.Bound(sha256) {
			return
		}
		if err := i.bring(ctx, sha256, ""); err != nil && !errors.Is(err, messages.NotFound) {
			i.log.Error().Err(err).Str("sha256", sha256).Msg("a damaged content could not be fetched again")
		}
	})
	if !began {
		delete(i.doubted, sha256)
	}
}
