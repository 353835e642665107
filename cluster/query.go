package cluster

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	// boardWait is how long a query waits for the boards of other nodes. The hosts
	// of one that is silent for so long are no candidates.
	boardWait = time.Second
	// boardGrace is how long a node that has just started lets others wait until
	// its hosts have said what they have.
	boardGrace = boardWait * 3 / 4
)

// query answers a grain with the facts of every host: those of this node, and
// what one batch message to each other node with hosts brings.
func (h *hosts) query(asker actors.Ref, round uint64, request string) {
	answer := func(facts []*messages.HostFacts) {
		h.node.tell(asker, &messages.HostsAnswered{Round: round, Hosts: facts}, request)
	}
	others := h.others()
	if known, _ := h.known(); known && len(others) == 0 {
		answer(h.board.Read())
		return
	}
	h.begin(func() {
		var far []*messages.HostFacts
		asked := make(chan struct{})
		go func() {
			far = h.gather(others)
			close(asked)
		}()
		h.awaitKnown(h.started.Add(hostsGrace))
		<-asked
		if h.ctx.Err() == nil {
			answer(append(h.board.Read(), far...))
		}
	})
}

// others are the other members with hosts.
func (h *hosts) others() (others []view.Member) {
	r := h.node.routing.Load()
	if r == nil {
		return nil
	}
	for _, m := range r.view.Members {
		if m.ID != r.self && len(m.Hosts) > 0 && !m.Leaving {
			others = append(others, m)
		}
	}
	return others
}

// gather asks the others, all at once, what has changed on their boards.
func (h *hosts) gather(others []view.Member) (all []*messages.HostFacts) {
	ctx, cancel := context.WithTimeout(h.ctx, boardWait)
	defer cancel()
	boards := make([][]*messages.HostFacts, len(others))
	present := make(map[string]bool, len(others))
	var asks sync.WaitGroup
	for i, m := range others {
		present[m.ID] = true
		asks.Go(func() {
			got, err := h.node.askMember(ctx, m, h.replicas.Known(m.ID))
			if c, ok := got.(*messages.BoardChanges); ok {
				boards[i] = h.replicas.Apply(m.ID, c)
			} else if h.ctx.Err() == nil {
				h.node.log.Info().Err(err).Str("member", m.ID).Int("hosts", len(m.Hosts)).Msg("a node did not say what its hosts have")
			}
		})
	}
	asks.Wait()
	h.replicas.Retain(present)
	for _, b := range boards {
		all = append(all, b...)
	}
	return all
}

// awaitKnown waits until every host of this node has been heard of, or until then.
func (h *hosts) awaitKnown(until time.Time) {
	ctx, cancel := context.WithDeadline(h.ctx, until)
	defer cancel()
	for {
		known, changed := h.known()
		if known {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// known says whether every host has been heard of, or has had the time to be. A
// node without hosts waits for some only if nobody else has any.
func (h *hosts) known() (bool, <-chan struct{}) {
	others := len(h.others()) > 0
	h.mu.RLock()
	defer h.mu.RUnlock()
	known := h.unheard == 0 && (len(h.attached) > 0 || others)
	return known || time.Since(h.started) >= hostsGrace, h.changed
}

// sayBoard answers another node's query.
func (h *hosts) sayBoard(q *messages.GetBoard, then func(proto.Message, error)) {
	say := func() { then(h.board.Since(q.GetBoard(), q.GetAfter()), nil) }
	if known, _ := h.known(); known {
		say()
		return
	}
	if !h.begin(func() {
		h.awaitKnown(time.Now().Add(boardGrace))
		say()
	}) {
		then(nil, errStopping)
	}
}
