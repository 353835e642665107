package cluster

import (
	"fmt"
	"runtime/debug"
	"slices"
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
}

// decide steps one message and puts the outcome where it has to wait. False: its
// changes have no room in the pending batch, and it must be stepped again later.
func (g *grain) decide(c *call, now time.Time) bool {
	if m, err, ok := g.recall(c); ok {
		g.enlist(outcome{c, []actors.Effect{actors.Reply{Message: m}}, err})
		return true
	}
	turn, err := g.try(actors.Input{ID: g.ref.ID, Now: now, Message: c.message, Request: c.request})
	g.node.stepped.Add(1)
	if err != nil {
		g.enlist(outcome{c, nil, err})
		return true
	}
	if turn.Changed && !g.pending.fits(turn.Writes) {
		return false
	}
	g.state = turn.State
	if !turn.Changed {
		g.enlist(outcome{c, turn.Effects, nil})
		return true
	}
	g.remember(c, turn.Effects)
	if g.pending == nil {
		g.pending = &batch{}
	}
	g.pending.add(turn.Writes, outcome{c, turn.Effects, nil})
	if g.flight == nil {
		g.launch()
	}
	return true
}

// enlist makes an outcome that changed nothing wait for the state it saw.
func (g *grain) enlist(o outcome) {
	switch {
	case g.pending != nil:
		g.pending.outcomes = append(g.pending.outcomes, o)
	case g.flight != nil:
		g.flight.outcomes = append(g.flight.outcomes, o)
	default:
		g.perform(o)
	}
}

// try steps. A panic is an error that changes nothing.
func (g *grain) try(in actors.Input) (turn actors.Turn, err error) {
	defer func() {
		if p := recover(); p != nil {
			g.node.panics.Add(1)
			g.node.log.Error().Str("kind", g.ref.Kind).Str("id", g.ref.ID).Str("request", in.Request).
				Str("message", nameOf(in.Message)).Any("panic", p).Bytes("stack", stack()).Msg("a step panicked")
			err = fmt.Errorf("%v broke down over %s: %w", g.ref, nameOf(in.Message), messages.Internal)
		}
	}()
	turn, err = g.kind.kind.Step(g.state, in)
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

// What a record remembers of requests. More would make every commit larger.
const (
	maxRemembered      = 16
	maxRememberedReply = 4 << 10 // bytes of one answer
	maxRememberedBytes = 8 << 10 // bytes of all of them
)

// recall is the answer that was given to c before, if it was.
func (g *grain) recall(c *call) (m actors.Message, err error, ok bool) {
	if c.dedupe == "" {
		return nil, nil, false
	}
	for _, r := range g.requests {
		if r.RequestId == c.dedupe {
			m, err = fromReply(r.Reply)
			return m, err, true
		}
	}
	return nil, nil, false
}

// remember keeps the answer of a command that changed the state. One that is
// answered later, or at length, is not kept: such a message is stepped again,
// as every message may be.
func (g *grain) remember(c *call, effects []actors.Effect) {
	if c.dedupe == "" {
		return
	}
	var answer actors.Message = &messages.Done{}
	for _, e := range slices.Backward(effects) {
		switch e := e.(type) {
		case actors.Reply:
			answer = e.Message
		case actors.Defer, actors.ReadConsole:
			return
		}
	}
	reply := toReply(answer, nil)
	if len(reply.Payload) > maxRememberedReply {
		return
	}
	kept := append(slices.Clone(g.requests), &messages.Remembered{RequestId: c.dedupe, Reply: reply})
	total := 0
	for i := len(kept) - 1; i >= 0; i-- {
		total += len(kept[i].Reply.GetPayload())
		if len(kept)-i > maxRemembered || total > maxRememberedBytes {
			kept = slices.Clone(kept[i+1:])
			break
		}
	}
	g.requests = kept
}
