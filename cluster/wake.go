package cluster

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// minWake is the least time between two wakings of a grain that were in vain: it
// was busy, or what it woke for could not be done.
const minWake = 20 * time.Millisecond

type wake struct{}

func (wake) IgnoreDeadLetterLogging() {}

// clock wakes one grain at the time that its state names.
type clock struct {
	timer *time.Timer
	due   time.Time // zero: the timer does not run
}

func (c *clock) stop() {
	if c != nil {
		c.timer.Stop()
		c.due = time.Time{}
	}
}

func (c *clock) set(at, now time.Time) {
	c.due = at
	c.timer.Reset(max(at.Sub(now), 0))
}

// watchClock sees to it that the grain is woken when it wants to be. A time that
// moves on is looked at when the earlier one has come: a lease that is renewed all
// the time costs no timer.
func (g *grain) watchClock() {
	at := g.state.Wake()
	switch {
	case g.gone != nil || at.IsZero():
		g.clock.stop()
	case g.clock == nil:
		g.clock = newClock(g.node.system.Root, g.pid)
		g.clock.set(at, time.Now())
	case g.clock.due.IsZero() || at.Before(g.clock.due):
		g.clock.set(at, time.Now())
	}
}

func newClock(root *actor.RootContext, pid *actor.PID) *clock {
	c := &clock{timer: time.AfterFunc(time.Hour, func() { root.Send(pid, wake{}) })}
	c.timer.Stop()
	return c
}

// woken tells the grain that its time has come, if it has.
func (g *grain) woken() {
	if g.gone != nil || g.clock == nil || g.retiring != nil || g.expelled.Load() != 0 || g.node.stopping.Load() {
		return
	}
	now := time.Now()
	at := g.state.Wake()
	g.clock.due = time.Time{}
	switch {
	case at.IsZero():
		return
	case at.After(now):
		g.clock.set(at, now)
		return
	case len(g.backlog) == 0 && !g.pending.full():
		g.used.Store(g.node.epoch.Load())
		g.step(&call{to: g.ref, message: &messages.Woken{}})
	}
	if g.gone != nil {
		return
	}
	if at := g.state.Wake(); !at.IsZero() {
		if soonest := now.Add(minWake); at.Before(soonest) {
			at = soonest
		}
		g.clock.set(at, now)
	}
}

// sleeps says whether nothing but a message can have the grain do something.
func sleeps(s actors.State) bool { return !s.Unsettled() && s.Wake().IsZero() }
