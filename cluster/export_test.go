package cluster

import (
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
)

// Post sends m to a grain at once, keeping the order of the caller.
func Post(n *Node, to actors.Ref, m proto.Message, answer func(proto.Message, error)) {
	if err := n.lookup.post(&call{to: to, message: m, answer: answer}); err != nil {
		answer(nil, err)
	}
}

// Settle returns once the grain has handled what was posted before.
func Settle(n *Node, to actors.Ref) {
	done := make(chan struct{})
	Post(n, to, nil, func(proto.Message, error) { close(done) })
	<-done
}
