package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

// A grain with work outstanding is nudged after firstNudge, then after twice as
// long each time, up to lastNudge, until its state changes or the work is done.
const (
	firstNudge = time.Second
	lastNudge  = 30 * time.Second

	// nudgeLook is how long a grain is kept from its messages by the look
	// at the store: while that does not answer, it goes on to answer queries.
	nudgeLook = 500 * time.Millisecond
)

type nudging struct {
	timer *time.Timer
	pause time.Duration
	due   time.Time
	seen  uint64 // the grain's revision when it was last nudged
}

func (n *nudging) stop() {
	if n != nil {
		n.timer.Stop()
	}
}

func (n *nudging) set(pause time.Duration) {
	n.pause = pause
	wait := jitter(pause)
	n.due = time.Now().Add(wait)
	n.timer.Reset(wait)
}

// watchWork sees to it that outstanding work is nudged. A change of the state
// makes the pauses short again, but puts no nudge off: a grain that changes all
// the time is nudged too.
func (g *grain) watchWork(changed bool) {
	g.watchClock()
	switch n := g.nudging; {
	case g.gone != nil || !g.state.Unsettled():
		n.stop()
		g.nudging = nil
	case n == nil:
		pid, root := g.pid, g.node.system.Root
		g.nudging = &nudging{timer: time.AfterFunc(lastNudge, func() { root.Send(pid, nudge{}) }), seen: g.revision}
		g.nudging.set(firstNudge)
	case changed && n.pause > firstNudge:
		if n.pause = firstNudge; time.Until(n.due) > firstNudge {
			n.set(firstNudge)
		}
	}
}

// nudged tries outstanding work again. It begins with a look at the store: an
// activation that has become stale would else ask for ever for what was done
// long ago, changing nothing and so losing no race.
func (g *grain) nudged() {
	if g.gone != nil || g.nudging == nil || g.node.stopping.Load() {
		return
	}
	g.nudging.set(min(2*g.nudging.pause, lastNudge))
	if len(g.backlog) > 0 || g.pending.full() {
		return
	}
	proved := g.revision != g.nudging.seen // by a commit since
	g.nudging.seen = g.revision
	if g.flight == nil && !proved && g.superseded() {
		g.abandon(store.ErrStale)
		return
	}
	g.step(&call{to: g.ref, message: &messages.Nudged{}})
}

// superseded says whether the store holds another revision than this activation
// last saw. With a commit in flight its compare-and-set will tell.
func (g *grain) superseded() bool {
	ctx, cancel := context.WithTimeout(context.Background(), nudgeLook)
	defer cancel()
	item, err := g.node.store.Get(ctx, actors.RecordKey(g.ref))
	if err != nil && !errors.Is(err, messages.NotFound) {
		return false // not known: the next commit will tell
	}
	return item.Revision != g.revision
}
