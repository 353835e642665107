package cluster

import (
	"fmt"

	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/messages"
)

// nodeCall answers what is asked of this node itself.
func (n *Node) nodeCall(from peer.Identity, e *messages.Envelope, answer func(*messages.Reply)) {
	n.say(answer, nil, fmt.Errorf("a node cannot take %s: %w", e.GetMethod(), messages.Invalid))
}

// Notice takes what another process only mentions; see Shell.
func (n *Node) Notice(peer.Identity, *messages.Notice) {}

// Gone ends what a stream has begun; see Shell.
func (n *Node) Gone(peer.Identity) {}
