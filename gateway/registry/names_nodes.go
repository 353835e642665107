package registry

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/messages"
)

// nodes are all of a cloud, as a *cluster.Client reaches them.
type nodes interface {
	Everywhere(ctx context.Context, question proto.Message) []cluster.NodeAnswer
	Answer(question proto.Message, f cluster.Answerer)
}

var _ nodes = (*cluster.Client)(nil)

// namesOf is one list of names.
type namesOf struct{ kind, namespace string }

// tell has the other nodes look at a list. Called under n.mu.
func (n *Names) tell(of namesOf) {
	n.hints[of] = struct{}{}
	if !n.telling {
		n.telling = true
		n.tasks.Go(n.tellAll)
	}
}

// tellAll tells what has gathered until nothing has. Nothing is said again: who has
// not heard of it sees it with the next look.
func (n *Names) tellAll() {
	wait := time.NewTimer(namesTell)
	defer wait.Stop()
	for {
		select {
		case <-wait.C:
		case <-n.ctx.Done():
			return
		}
		m := n.gathered()
		if m == nil {
			return
		}
		ctx, cancel := context.WithTimeout(n.ctx, namesHeard)
		n.nodes.Everywhere(ctx, m)
		cancel()
		wait.Reset(namesTell)
	}
}

// gathered is what is to be told; nil: nothing, and the next hint begins anew.
func (n *Names) gathered() *messages.NamesChanged {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.hints) == 0 {
		n.telling = false
		return nil
	}
	m := &messages.NamesChanged{From: n.mark}
	for of := range n.hints {
		m.Of = append(m.Of, &messages.NamesOf{Kind: of.kind, Namespace: of.namespace})
	}
	clear(n.hints)
	return m
}

// heard takes another node's word.
func (n *Names) heard(_ context.Context, question proto.Message) (proto.Message, error) {
	m, _ := question.(*messages.NamesChanged)
	if m.GetFrom() != n.mark {
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, of := range m.GetOf() {
			n.hurry(of.GetKind(), of.GetNamespace())
		}
	}
	return &messages.Done{}, nil
}
