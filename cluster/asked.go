package cluster

import (
	"context"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	asksAtOnce  = 256 // of grains on this node; more are dropped, and asked again
	askDeadline = 8 * time.Second
)

// askFor asks another grain on behalf of ref, and tells ref what came back. Each
// question stands for itself: commands that grains give each other are safe to be
// repeated.
func (n *Node) askFor(ref actors.Ref, e actors.Ask) {
	if n.stopping.Load() {
		return
	}
	select {
	case n.askers <- struct{}{}:
	default:
		n.log.Debug().Stringer("to", e.To).Str("message", nameOf(e.Message)).Msg("too many ask at once")
		return
	}
	n.tasks.Go(func() {
		defer release(n.askers)
		ctx, cancel := context.WithTimeout(n.ctx, askDeadline)
		defer cancel()
		m, err := n.client.Ask(ctx, e.To, e.Message)
		if n.ctx.Err() != nil {
			return // it says nothing about the one that was asked
		}
		n.tell(ref, &messages.Answered{Kind: e.To.Kind, Id: e.To.ID, Asked: nameOf(e.Message), Reply: toReply(m, err)}, "")
	})
}
