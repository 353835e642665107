package cluster

import (
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// A grain with work outstanding is nudged after firstNudge, then after twice as
// long each time, up to lastNudge, until its state changes or the work is done.
const (
	firstNudge = time.Second
	lastNudge  = 30 * time.Second
)

type nudging struct {
	timer *time.Timer
	pause time.Duration
	due   time.Time
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
	switch n := g.nudging; {
	case g.gone != nil || !g.state.Unsettled():
		n.stop()
		g.nudging = nil
	case n == nil:
		pid, root := g.pid, g.node.system.Root
		g.nudging = &nudging{timer: time.AfterFunc(lastNudge, func() { root.Send(pid, nudge{}) })}
		g.nudging.set(firstNudge)
	case changed && n.pause > firstNudge:
		if n.pause = firstNudge; time.Until(n.due) > firstNudge {
			n.set(firstNudge)
		}
	}
}

// nudged tries outstanding work again.
func (g *grain) nudged() {
	if g.gone != nil || g.nudging == nil || g.node.stopping.Load() {
		return
	}
	g.nudging.set(min(2*g.nudging.pause, lastNudge))
	if len(g.backlog) == 0 && !g.pending.full() {
		g.step(&call{to: g.ref, message: &messages.Nudged{}})
	}
}
