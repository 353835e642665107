package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/troupe-cloud/troupe/messages"
)

// Answerer answers a question about something that only its node knows. It is
// called from many goroutines; ctx ends when nobody waits for the answer any more.
type Answerer func(ctx context.Context, question proto.Message) (proto.Message, error)

// answerers are the questions that parts of this process answer for the node.
type answerers struct {
	mu sync.RWMutex
	by map[protoreflect.FullName]Answerer
}

// NodeAnswer is what one node said, or why it said nothing.
type NodeAnswer struct {
	Node   string
	Answer proto.Message // nil with Err
	Err    error
}

// Answer has f answer the questions of question's type that Everywhere asks. What
// is registered later replaces what was.
func (c *Client) Answer(question proto.Message, f Answerer) {
	a := &c.answerers
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.by == nil {
		a.by = map[protoreflect.FullName]Answerer{}
	}
	a.by[question.ProtoReflect().Descriptor().FullName()] = f
}

// Everywhere asks every node, all at once, what only it knows, and waits until each
// has answered or ctx ends. A node where nobody answers such a question says Invalid.
func (c *Client) Everywhere(ctx context.Context, question proto.Message) []NodeAnswer {
	n := c.node
	if n.net == nil {
		a, err := n.answer(ctx, question)
		return []NodeAnswer{{Node: n.config.Name, Answer: a, Err: err}}
	}
	members := n.routing.Load().view.Members
	all := make([]NodeAnswer, len(members))
	var asks sync.WaitGroup
	for i, m := range members {
		all[i].Node = m.Name
		asks.Go(func() { all[i].Answer, all[i].Err = n.askMember(ctx, m, question) })
	}
	asks.Wait()
	return all
}

// answerSoon answers what another node asks, in a goroutine of its own: the answer may
// take its time, and the stream that brought the question must not wait for it.
func (n *Node) answerSoon(question proto.Message, deadline time.Time, then func(proto.Message, error)) {
	go func() {
		ctx, cancel := context.WithDeadline(n.ctx, deadline)
		defer cancel()
		then(n.answer(ctx, question))
	}()
}

func (n *Node) answer(ctx context.Context, question proto.Message) (a proto.Message, err error) {
	n.client.answerers.mu.RLock()
	f := n.client.answerers.by[question.ProtoReflect().Descriptor().FullName()]
	n.client.answerers.mu.RUnlock()
	if f == nil {
		return nil, fmt.Errorf("a node cannot take %s: %w", nameOf(question), messages.Invalid)
	}
	defer func() {
		if p := recover(); p != nil {
			told := &messages.Refusal{Kind: messages.Internal, Sentence: "what should answer panicked"}
			err = fmt.Errorf("%w: %v\n%s", told, p, stack())
		}
	}()
	return f(ctx, question)
}
