package cluster

import (
	"fmt"
	"runtime/debug"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

// Limits of one turn: what the store can take in one transaction, less the
// record itself.
const (
	maxTurnWrites = store.MaxTxnWrites - 1
	maxTurnBytes  = store.MaxTxnBytes - store.MaxValueBytes
	maxStateBytes = store.MaxValueBytes - 64<<10
)

// outcome is what a message came to. It is performed when the state that the
// message saw is durable.
type outcome struct {
	call    *call
	effects []actors.Effect
	err     error
	read    bool // no commit proves that the state it saw was the newest
}

// decide steps one message and puts the outcome where it has to wait. False: its
// changes have no room in the pending batch, and it must be stepped again later.
func (g *grain) decide(c *call, now time.Time) bool {
	query := c.query()
	if !query {
		g.hide()
	}
	if m, err, ok := g.recall(c, now); ok {
		g.enlist(outcome{call: c, effects: []actors.Effect{actors.Reply{Message: m}}, err: err, read: true})
		return true
	}
	if g.flight != nil && g.flight.late && query {
		g.answerFrom(g.durable(), c, now)
		return true
	}
	turn, err := g.try(g.state, g.input(c, now))
	g.node.stepped.Add(1)
	if g.doubts(turn, err) {
		return g.reconsider(c, now)
	}
	if err != nil {
		g.enlist(outcome{call: c, err: err, read: true})
		return true
	}
	if turn.Changed && !g.pending.fits(turn.Writes) {
		return false
	}
	before, known := g.state, g.known
	g.state = turn.State
	g.watchClock()
	if turn.Memory { // no commit can take it back
		g.perform(outcome{call: c, effects: turn.Effects, read: true})
		return true
	}
	if !turn.Changed {
		g.remember(c, turn.Effects, now)
		g.enlist(outcome{call: c, effects: turn.Effects, read: true})
		if query {
			g.show()
		}
		return true
	}
	g.remember(c, turn.Effects, now)
	if g.pending == nil {
		g.pending = &batch{room: g.node.room, before: before, known: known}
	}
	g.pending.add(turn.Writes, outcome{call: c, effects: turn.Effects})
	if g.flight == nil {
		g.launch()
	}
	return true
}

// enlist makes an outcome that changed nothing wait for the state it saw.
func (g *grain) enlist(o outcome) {
	if g.flight != nil && !g.flight.timed {
		g.time(g.flight)
	}
	switch {
	case g.pending != nil:
		g.pending.join(o)
	case g.flight != nil:
		g.flight.join(o)
	default:
		g.perform(o)
	}
}

// try steps. A panic is an error that changes nothing.
func (g *grain) try(on actors.State, in actors.Input) (turn actors.Turn, err error) {
	defer func() {
		if p := recover(); p != nil {
			g.node.panics.Add(1)
			g.node.log.Error().Str("kind", g.ref.Kind).Str("id", g.ref.ID).Str("request", in.Request).
				Str("message", nameOf(in.Message)).Any("panic", p).Bytes("stack", stack()).Msg("a step panicked")
			err = fmt.Errorf("%v broke down over %s: %w", g.ref, nameOf(in.Message), messages.Internal)
		}
	}()
	turn, err = g.kind.kind.Step(on, in)
	if err == nil && turn.Changed {
		err = checkTurn(turn)
	}
	return turn, err
}

func stack() []byte { return debug.Stack() }

// checkTurn refuses what the store could not take: it would take everybody
// else's changes down with it.
func checkTurn(t actors.Turn) error {
	if len(t.Writes) > maxTurnWrites {
		return fmt.Errorf("a change of %d entries; the limit is %d: %w", len(t.Writes), maxTurnWrites, messages.Exhausted)
	}
	if n := len(t.State.Encoded()); n > maxStateBytes {
		return fmt.Errorf("a state of %d bytes; the limit is %d: %w", n, maxStateBytes, messages.Exhausted)
	}
	total := 0
	for _, w := range t.Writes {
		if err := store.CheckKey(w.Key); err != nil {
			return err
		}
		if total += len(w.Key) + len(w.Value); len(w.Value) > store.MaxValueBytes || total > maxTurnBytes {
			return fmt.Errorf("a change of %d bytes; the limit is %d: %w", total, maxTurnBytes, messages.Exhausted)
		}
	}
	return nil
}
