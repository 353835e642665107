package cluster

import (
	"testing"
	"time"

	protocluster "github.com/asynkron/protoactor-go/cluster"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
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

// CopyFrom has grains count as large that have so many rows.
func CopyFrom(rows int) { manyRows = rows }

// Copied is how many grains came up here from a copy of their rows.
func Copied(n *Node) int {
	n.copies.mu.Lock()
	defer n.copies.mu.Unlock()
	return n.copies.used
}

// AddCopy gives a node a piece of a copy, and Copies says how many copies it has.
func AddCopy(n *Node, m *messages.CopyGrain) error { return n.copies.add(m) }

func Copies(n *Node) int {
	n.copies.mu.Lock()
	defer n.copies.mu.Unlock()
	return len(n.copies.of)
}

// Member is the node's protoactor cluster.
func Member(n *Node) *protocluster.Cluster { return n.member }

// NewSlog is the logger that protoactor is given.
var NewSlog = newSlog

// ToWire is a call as it leaves the process.
func ToWire(t testing.TB, to actors.Ref, m proto.Message, request, dedupe string, deadline time.Time) *messages.Envelope {
	t.Helper()
	e, err := (&call{to: to, message: m, request: request, dedupe: dedupe, deadline: deadline}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return e.(wire).Envelope
}

// FromWire is an Envelope as the process it comes to reads it.
func FromWire(e *messages.Envelope) (to actors.Ref, m proto.Message, request, dedupe string, deadline time.Time, err error) {
	c, err := wire{e}.Deserialize()
	if err != nil {
		return to, nil, "", "", deadline, err
	}
	got := c.(*call)
	return got.to, got.message, got.request, got.dedupe, got.deadline, nil
}
