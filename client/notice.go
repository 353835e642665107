package client

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/messages"
)

var (
	_ peer.Handler = (*watches)(nil)
	_ peer.Leaver  = (*watches)(nil)
)

// Call is peer.Handler's: nobody calls a client.
func (w *watches) Call(_ peer.Identity, _ *messages.Envelope, answer func(*messages.Reply)) {
	if answer != nil {
		answer(&messages.Reply{Error: messages.ErrorKind_ERROR_KIND_INVALID, Message: "a client takes no calls"})
	}
}

// Ping is peer.Handler's: nobody pings a client.
func (w *watches) Ping(peer.Identity, *messages.Ping) *messages.Pong { return &messages.Pong{} }

// Notice is peer.Handler's: what a node has to say of a watch.
func (w *watches) Notice(from peer.Identity, n *messages.Notice) {
	if n.GetTopic() != watchTopic {
		return
	}
	var number, round uint64
	if _, err := fmt.Sscanf(n.GetId(), "%d.%d", &number, &round); err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	one := w.all[number]
	if one == nil || round != w.round || one.round != round || w.at == nil {
		if !n.GetEnd() && w.at != nil && from.Name == w.atName {
			w.c.dialer.Notify(w.at.member(), &messages.Notice{Topic: watchTopic, Id: n.GetId(), End: true})
		}
		return
	}
	w.atName = from.Name
	if n.GetEnd() && len(n.GetPayload()) == 0 { // the node cannot go on; another can
		w.c.nodes.moveOn(w.at)
		w.lost()
		return
	}
	one.heard = true
	w.take(one, n)
}

// take delivers what a node says. Called under mu.
func (w *watches) take(one *watch, n *messages.Notice) {
	reply := &messages.Reply{}
	if err := proto.Unmarshal(n.GetPayload(), reply); err != nil {
		return
	}
	got, err := answer(reply)
	one.deliver(Change{Answer: got, Err: err})
	if n.GetEnd() || one.once && err != nil {
		w.c.dialer.Notify(w.at.member(), one.notice(true))
		w.finish(one)
	}
}

// Gone is peer.Leaver's: a stream has ended, and what was watched through it.
func (w *watches) Gone(with peer.Identity) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.at != nil && (w.atName == "" || w.atName == with.Name) {
		w.lost()
	}
}
