package cluster

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// maxRecordKey bounds an identity, so that the keys of its rows fit the store.
const maxRecordKey = 512

// grain is the one shell that runs every kind: load, step, commit, perform,
// reply. All but the first block is touched only by its actor's goroutine.
type grain struct {
	node    *Node
	kind    *kindEntry
	ref     actors.Ref
	pid     *actor.PID
	waiting atomic.Int32  // messages posted and not yet handled
	used    atomic.Uint32 // epoch of the last message

	commands atomic.Int32                 // of waiting those that are no queries
	seen     atomic.Pointer[actors.State] // what queries may be answered from; nil: nothing just now

	// expelled says that the grain is this node's no more; see the marks.
	expelled atomic.Uint32

	unread     bool // nothing was read: the first commit proves that nothing is there
	activation string
	epoch      uint64       // of the node's registration that this activation came up under
	state      actors.State // the newest, maybe not yet committed
	revision   uint64       // of the record as committed
	version    uint64
	format     uint32 // in which the record is, or is going to be
	known      memory // of commands that were done

	flight  *batch  // is being committed
	pending *batch  // stepped on the state that flight will leave
	backlog []*call // waits until pending has room

	deferred map[string][]*call
	nudging  *nudging
	clock    *clock // nil: it never wanted to be woken
	gone     error  // why nothing is handled any more
	stopped  bool   // told its actor to stop
	retiring error  // stops once flight has landed, and why
	landing  bool   // a committed is on its way to the mailbox
	copying  *copying
}

// What the shell tells itself. Lost ones are missed by nobody.
type (
	committed struct {
		revision uint64
		err      error
		asked    bool // somebody waits for it
	}
	nudge     struct{}
	passivate struct{}
	retire    struct{ why error }
	drop      struct{}
	slow      struct{ flight *batch }
)

// Marks of grains that are this node's no more.
const (
	movedAway uint32 = iota + 1 // another node's, by a newer view
	fencedOff                   // this node is no member any more
)

func (committed) IgnoreDeadLetterLogging() {}
func (nudge) IgnoreDeadLetterLogging()     {}
func (passivate) IgnoreDeadLetterLogging() {}
func (retire) IgnoreDeadLetterLogging()    {}
func (drop) IgnoreDeadLetterLogging()      {}
func (slow) IgnoreDeadLetterLogging()      {}

// push puts c into the mailbox. Called under the lock of the shard.
func (g *grain) push(c *call) error {
	if c.answer != nil && g.waiting.Load() >= MaxWaiting {
		return fmt.Errorf("%d messages wait for %v: %w", MaxWaiting, g.ref, messages.Unavailable)
	}
	c.counted = true
	g.waiting.Add(1)
	if !c.query() {
		g.commands.Add(1)
	}
	g.node.arrived()
	g.used.Store(g.node.epoch.Load())
	g.node.system.Root.Send(g.pid, c)
	return nil
}

// Receive is protoactor's.
func (g *grain) Receive(c actor.Context) {
	defer g.survive()
	switch m := c.Message().(type) {
	case *actor.Started:
		if !g.open() {
			g.load()
		}
	case *call:
		g.take(m)
	case committed:
		g.landed(m)
	case slow:
		g.tooSlow(m.flight)
	case nudge:
		g.nudged()
	case wake:
		g.woken()
	case passivate:
		g.idled()
	case *parting:
		g.part(m)
	case retire:
		g.retire(m.why)
	case drop:
		g.giveUp(errFenced)
	case *messages.Envelope:
		g.take(g.received(c, m))
	case *actor.Stopped:
		g.kind.live.Add(-1)
		g.node.grainGone()
		if g.expelled.Load() != 0 {
			g.node.releases.left(1)
		}
	}
}

// survive keeps a broken shell from being restarted with a state it does not
// know: it gives its grain up. Steps have a guard of their own.
func (g *grain) survive() {
	if p := recover(); p != nil {
		g.node.panics.Add(1)
		g.node.log.Error().Str("kind", g.ref.Kind).Str("id", g.ref.ID).Any("panic", p).Bytes("stack", stack()).
			Msg("the shell of a grain panicked")
		g.giveUp(fmt.Errorf("%v broke down: %w", g.ref, messages.Internal))
		g.stop() // whoever still waits runs into its deadline
	}
}

// received makes a call of what another process, or protoactor's own
// Cluster.Request, has sent.
func (g *grain) received(c actor.Context, e *messages.Envelope) *call {
	root, sender := g.node.system.Root, c.Sender()
	answer := func(m proto.Message, err error) {
		if sender != nil {
			root.Send(sender, toReply(m, err))
		}
	}
	got, err := fromEnvelope(e)
	if err != nil {
		answer(nil, err)
		return nil
	}
	got.to = g.ref
	if !e.Tell {
		got.answer = answer
	}
	return got
}

// take handles one message: now, or when there is room.
func (g *grain) take(c *call) {
	switch {
	case c == nil:
	case g.gone == nil && g.retiring == nil && g.expelled.Load() == 0 && g.unproved(c):
	case g.gone != nil:
		g.turnAway(c, g.gone)
		g.stopIfEmpty()
	case g.retiring != nil:
		g.turnAway(c, g.retiring)
	case g.expelled.Load() != 0:
		g.turnAway(c, errElsewhere)
	case len(g.backlog) > 0 || g.pending.full():
		g.backlog = append(g.backlog, c)
	default:
		if g.step(c); g.gone != nil {
			g.stopIfEmpty()
		}
	}
}

// turnAway answers who came too late.
func (g *grain) turnAway(c *call, why error) {
	g.done(c)
	g.turnBack(c, why)
}

// turnBack says why something was not done here. What nobody waits for goes on
// to where the grain is now.
func (g *grain) turnBack(c *call, why error) {
	if c.answer == nil && g.expelled.Load() == movedAway && !g.node.stopping.Load() {
		g.node.redeliver(c)
		return
	}
	c.reply(nil, why)
}

// done counts c as handled.
func (g *grain) done(c *call) {
	if c.counted {
		c.counted = false
		if !c.query() {
			g.commands.Add(-1)
		}
		g.waiting.Add(-1)
		g.node.handled()
	}
}

// step handles one message. False: it is first in the backlog now.
func (g *grain) step(c *call) bool {
	now := time.Now()
	switch {
	case c.message == nil: // it was only to activate
		g.node.watches.table.Changed(g.ref, g.committed())
		c.reply(nil, nil)
	case !g.node.leased(now):
		c.reply(nil, errUnleased)
	case c.answer != nil && c.expired(now):
		c.reply(nil, fmt.Errorf("%v was too busy to answer in time: %w", g.ref, messages.Unavailable))
	case !g.decide(c, now):
		g.backlog = append([]*call{c}, g.backlog...)
		return false
	}
	g.done(c)
	return true
}

// committed is the version of the record as it is stored.
func (g *grain) committed() uint64 {
	if g.flight != nil {
		return g.version - 1
	}
	return g.version
}

// idled leaves memory after the idle time-out; if the grain is large, so that it takes
// long to come up again, only after LargeStays of them.
func (g *grain) idled() {
	if g.large() && g.node.epoch.Load()-g.used.Load() <= LargeStays*idleQuarters {
		return
	}
	g.passivate()
}

// large says whether the grain takes more than one look at the store to come up.
func (g *grain) large() bool {
	return g.kind.kind.HasTables() && g.kind.kind.Count(g.state) >= manyRows
}

// passivate leaves memory, if nothing keeps the grain here.
func (g *grain) passivate() {
	g.pruneDeferred(time.Now())
	if g.gone != nil || g.flight != nil || !sleeps(g.state) || len(g.deferred) > 0 || g.node.hosts.pins(g.ref) {
		g.used.Store(g.node.epoch.Load())
		return
	}
	if g.node.lookup.leave(g, false) {
		g.hide()
		g.gone = &movedError{why: g.ref.String() + " was passivated"}
		g.stop()
	}
}

// retire leaves memory as soon as nothing is in flight: the node stops, or the
// grain is another node's.
func (g *grain) retire(why error) {
	g.hide()
	if g.retiring = why; g.flight == nil && g.gone == nil {
		g.handAlong()
		g.giveUp(why)
	}
}

// giveUp ends this activation: whoever waits is told why.
func (g *grain) giveUp(why error) {
	if g.gone != nil {
		return
	}
	g.hide()
	g.gone = why
	if g.landing && g.expelled.CompareAndSwap(0, movedAway) {
		g.node.releases.add(1) // until that commit has landed or failed
	}
	g.node.lookup.leave(g, true)
	flight, pending, backlog := g.flight, g.pending, g.backlog
	g.flight, g.pending, g.backlog = nil, nil, nil
	for _, o := range flight.all() {
		g.turnBack(o.call, doubtful(why))
	}
	for _, o := range pending.all() {
		g.turnBack(o.call, why)
	}
	for _, c := range backlog {
		g.turnAway(c, why)
	}
	for _, waiting := range g.deferred {
		for _, c := range waiting {
			c.reply(nil, why)
		}
	}
	g.deferred = nil
	g.stopIfEmpty()
}

// stopIfEmpty stops the actor once nobody waits in its mailbox and no commit is
// under way; nobody can come any more, for it has left the lookup.
func (g *grain) stopIfEmpty() {
	if g.waiting.Load() == 0 && !g.landing {
		g.stop()
	}
}

func (g *grain) stop() {
	if g.stopped {
		return
	}
	g.stopped = true
	g.nudging.stop()
	g.clock.stop()
	g.node.member.PidCache.RemoveByValue(g.ref.ID, g.ref.Kind, g.pid)
	g.node.system.Root.Stop(g.pid)
}
