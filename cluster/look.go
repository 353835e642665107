package cluster

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// A query needs no mailbox where the grain has a state that is durable and that no
// command can be about to change: a Step is pure, and a state is never changed, so
// whoever asks may step the query itself. What is asked much is so answered by all
// processors at once, without a word between goroutines.
//
// A grain shows such a state when it has answered a query, and hides it before it
// does anything else; it is made for nobody who is not asked. Commands that wait
// in the mailbox come first: who has told or asked something reads what came of it.

// show lets queries be answered from the state, if nothing is under way.
func (g *grain) show() {
	if g.flight == nil && g.pending == nil && len(g.backlog) == 0 && g.gone == nil && g.retiring == nil && g.seen.Load() == nil {
		state := g.state
		g.seen.Store(&state)
	}
}

// hide ends that. Called before the state is another, and before the grain ends.
func (g *grain) hide() {
	if g.seen.Load() != nil {
		g.seen.Store(nil)
	}
}

// visible is the state that a query may be answered from; nil: there is none now.
func (g *grain) visible() *actors.State {
	if g.commands.Load() != 0 { // first: what is handled has hidden the state that it changed
		return nil
	}
	return g.seen.Load()
}

// Look answers a query without waiting for anybody, if its grain is in memory here
// and nothing is under way in it; ok says whether it was answered. Else Ask it. The
// answer and m may be shared with the grain: neither may be changed.
func (c *Client) Look(to actors.Ref, m proto.Message, request string) (answer proto.Message, err error, ok bool) {
	if m == nil || !messages.IsQuery(m) || c.node.stopping.Load() {
		return nil, nil, false
	}
	g := c.node.lookup.find(to)
	if g == nil {
		return nil, nil, false
	}
	state := g.visible()
	if state == nil {
		return nil, nil, false
	}
	turn, err := g.try(*state, actors.Input{ID: to.ID, Now: time.Now(), Message: m, Request: request})
	c.node.stepped.Add(1)
	if !g.holds() {
		return nil, nil, false
	}
	if err != nil {
		return nil, err, true
	}
	if turn.Changed || turn.Memory || len(turn.Effects) != 1 { // more than an answer is the grain's own to do
		return nil, nil, false
	}
	said, ok := turn.Effects[0].(actors.Reply)
	return said.Message, nil, ok
}

type noWaitKey struct{}

// ErrWait is the answer to who cannot wait.
var ErrWait = fmt.Errorf("that takes a while: %w", messages.Unavailable)

// NoWait marks a context of who cannot wait for others: what he asks is answered by a
// Look, or not at all, with ErrWait.
func NoWait(ctx context.Context) context.Context { return context.WithValue(ctx, noWaitKey{}, true) }

// Waits says whether who asks with ctx can wait for others.
func Waits(ctx context.Context) bool { return ctx.Value(noWaitKey{}) == nil }

// find is the grain of that name, if it is in memory here; it counts as spoken to.
func (l *lookup) find(ref actors.Ref) *grain {
	s := l.shard(ref)
	s.mu.RLock()
	g := s.grains[ref]
	if g != nil {
		if epoch := l.node.epoch.Load(); g.used.Load() != epoch {
			g.used.Store(epoch)
		}
	}
	s.mu.RUnlock()
	return g
}
