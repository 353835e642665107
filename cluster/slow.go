package cluster

import (
	"fmt"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// A store that does not answer keeps commits in flight for seconds. What a query
// asks about is durable all the while: the state from before that commit, which
// nobody has been told is gone. So queries are answered from it. In ordinary times
// they wait for the commit, so that a show never knows less than a list.

// time has the grain look at the flight again once it has become slow.
func (g *grain) time(flight *batch) {
	flight.timed = true
	pid, root := g.pid, g.node.system.Root
	time.AfterFunc(g.node.config.SlowCommit, func() { root.Send(pid, slow{flight}) })
}

// tooSlow answers the queries that wait for a flight which takes long.
func (g *grain) tooSlow(flight *batch) {
	if g.gone != nil || g.flight != flight {
		return
	}
	flight.late = true
	now := time.Now()
	for _, b := range []*batch{g.flight, g.pending} {
		for _, c := range b.takeQueries() {
			g.answerFrom(g.durable(), c, now)
		}
	}
}

// takeQueries takes the queries out of those that wait.
func (b *batch) takeQueries() (queries []*call) {
	if b == nil {
		return nil
	}
	kept := b.outcomes[:0]
	for _, o := range b.outcomes {
		if o.read && o.call.message != nil && messages.IsQuery(o.call.message) {
			queries = append(queries, o.call)
			continue
		}
		kept = append(kept, o)
	}
	clear(b.outcomes[len(kept):])
	b.outcomes = kept
	return queries
}

// durable is the state from before the commit in flight, and what memory has beyond it.
func (g *grain) durable() actors.State { return g.kind.kind.Rebase(g.flight.before, g.state) }

// answerFrom answers a query from a state that is durable.
func (g *grain) answerFrom(state actors.State, c *call, now time.Time) {
	turn, err := g.try(state, actors.Input{ID: g.ref.ID, Now: now, Message: c.message, Request: c.request})
	g.node.stepped.Add(1)
	g.perform(outcome{call: c, effects: turn.Effects, err: err, read: true})
}

// goBack goes back to the state that is durable: the commit in flight never took
// place and never will. Who asked for the changes is told; the activation lives on,
// and begins as one that was just loaded, for what it had only in memory may have
// come after.
func (g *grain) goBack(why error) {
	g.hide()
	flight, pending := g.flight, g.pending
	g.state, g.known = g.durable(), flight.known
	g.flight, g.pending = nil, nil
	g.version--
	why = fmt.Errorf("%v could not be saved: %w", g.ref, why)
	now := time.Now()
	for _, b := range []*batch{flight, pending} {
		for _, c := range b.takeQueries() {
			g.answerFrom(g.state, c, now)
		}
		for _, o := range b.all() {
			o.call.reply(nil, why)
		}
	}
	g.node.log.Warn().Err(why).Str("kind", g.ref.Kind).Str("id", g.ref.ID).Msg("a change was taken back")
	g.decide(&call{to: g.ref, message: &messages.Activated{}}, now)
	g.watchWork(false)
	g.resume()
}
