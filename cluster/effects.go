package cluster

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// maxDeferred is how many askers may wait for one Answer.
const maxDeferred = 4096

// perform does what an outcome asks for, now that the state it saw is durable,
// and answers.
func (g *grain) perform(o outcome) {
	if o.read && !g.holds() {
		g.turnBack(o.call, errUnleased)
		return
	}
	if o.err != nil {
		g.refuse(o)
		return
	}
	waits := false // for an answer that comes later
	urgent := o.urges()
	for _, e := range o.effects {
		switch e := e.(type) {
		case actors.Tell:
			g.node.post(&call{to: e.To, message: e.Message, request: o.call.request, urgent: urgent})
		case actors.Reply:
			o.call.reply(e.Message, nil)
		case actors.Defer:
			waits = g.wait(e.Key, o.call)
		case actors.Answer:
			g.answer(e)
		case actors.Drive:
			g.node.hosts.drive(g.ref.ID, g.epoch, e.Order)
		case actors.Reconcile:
			g.node.hosts.reconcile(g.ref.ID)
		case actors.ReadConsole:
			waits = true
			g.node.hosts.console(g.ref.ID, e, o.call)
		case actors.Publish:
			g.node.hosts.publish(e.Facts)
		case actors.QueryHosts:
			g.node.hosts.query(g.ref, e.Round, o.call.request)
		case actors.Notify:
			g.node.watches.table.Touched(g.ref)
		case actors.ReadCold:
			waits = true
			g.node.readCold(g.ref, e, o.call)
		case actors.Probe:
			g.node.probe(g.ref, e.Targets)
		case actors.Ask:
			g.node.askFor(g.ref, e)
		case actors.Discard:
			g.node.discard(e.SHA256)
		default:
			g.node.log.Error().Str("kind", g.ref.Kind).Str("effect", fmt.Sprintf("%T", e)).Msg("an effect nobody performs")
		}
	}
	if !waits {
		o.call.reply(&messages.Done{}, nil)
	}
}

// holds says whether nobody else can have changed the grain since it was loaded:
// what is said without a commit behind it rests on that.
func (g *grain) holds() bool {
	n := g.node
	return n.net == nil || g.expelled.Load() == 0 && n.net.Leased(time.Now())
}

// refuse answers with the error. Of a message that was told somebody should
// know, unless it was merely late.
func (g *grain) refuse(o outcome) {
	if o.call.answer == nil && (messages.KindOf(o.err) == messages.ErrorKind_ERROR_KIND_INTERNAL || errors.Is(o.err, messages.Invalid)) {
		g.node.log.Warn().Err(o.err).Str("kind", g.ref.Kind).Str("id", g.ref.ID).
			Str("message", nameOf(o.call.message)).Str("request", o.call.request).Msg("a message was refused")
	}
	o.call.reply(nil, o.err)
}

// wait keeps the asker until an Answer for key comes.
func (g *grain) wait(key string, c *call) bool {
	if c.answer == nil {
		return false
	}
	if len(g.deferred[key]) >= maxDeferred {
		g.pruneDeferred(time.Now())
	}
	if len(g.deferred[key]) >= maxDeferred {
		c.reply(nil, fmt.Errorf("%d wait for %v already: %w", maxDeferred, g.ref, messages.Unavailable))
		return true
	}
	if g.deferred == nil {
		g.deferred = map[string][]*call{}
	}
	g.deferred[key] = append(g.deferred[key], c)
	return true
}

func (g *grain) answer(a actors.Answer) {
	for _, c := range g.deferred[a.Key] {
		if m := a.Message; a.Err == nil && m == nil {
			c.reply(&messages.Done{}, nil)
		} else {
			c.reply(m, a.Err)
		}
	}
	if delete(g.deferred, a.Key); len(g.deferred) == 0 {
		g.deferred = nil // an empty map would stay as long as the grain
	}
}

// pruneDeferred forgets askers that have given up.
func (g *grain) pruneDeferred(now time.Time) {
	for key, waiting := range g.deferred {
		waiting = slices.DeleteFunc(waiting, func(c *call) bool { return c.expired(now) })
		if g.deferred[key] = waiting; len(waiting) == 0 {
			delete(g.deferred, key)
		}
	}
}

// urges says whether what o tells other grains is on the way to an answer that somebody
// waits for: who has asked is answered later (Defer), or what was told is itself on that
// way and does not give the answer. It must not queue behind what nobody waits for.
func (o outcome) urges() bool {
	if !o.call.awaited() {
		return false
	}
	told := o.call.answer == nil
	for _, e := range o.effects {
		switch e.(type) {
		case actors.Answer:
			return false
		case actors.Defer:
			return true
		}
	}
	return told
}

// tell posts a message that nobody waits for.
func (n *Node) tell(to actors.Ref, m proto.Message, request string) {
	n.post(&call{to: to, message: m, request: request})
}

// post sends c, which nobody hears of if it is lost.
func (n *Node) post(c *call) {
	to, m := c.to, c.message
	err := n.deliver(c)
	switch {
	case err == nil || n.stopping.Load():
	case isUnavailable(err): // whoever relies on it says it again
		n.log.Debug().Err(err).Stringer("to", to).Str("message", nameOf(m)).Msg("a message was lost")
	default:
		n.log.Error().Err(err).Stringer("to", to).Str("message", nameOf(m)).Msg("a message could not be told")
	}
}
