package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// NodeState is what one node says about itself, or why it says nothing.
type NodeState struct {
	Name   string
	Status *messages.NodeStatus // nil with Err
	Err    error
}

// Status asks every node, all at once, what it is and does; in the order of
// their names.
func (c *Client) Status(ctx context.Context) []NodeState {
	n := c.node
	if n.net == nil {
		return []NodeState{{Name: n.config.Name, Status: n.status()}}
	}
	members := n.routing.Load().view.Members
	all := make([]NodeState, len(members))
	var asks sync.WaitGroup
	for i, m := range members {
		all[i].Name = m.Name
		asks.Go(func() {
			got, err := n.askMember(ctx, m, &messages.GetNodeStatus{})
			all[i].Status, _ = got.(*messages.NodeStatus)
			all[i].Err = err
		})
	}
	asks.Wait()
	return all
}

// Where says which node a grain lives on, and whether it is in memory there.
func (c *Client) Where(ctx context.Context, ref actors.Ref) (*messages.Whereabouts, error) {
	here := c.node.whereabouts(ref)
	if c.node.net == nil {
		return here, nil
	}
	owner, ok := c.node.routing.Load().owner(ref)
	if !ok {
		return here, nil
	}
	got, err := c.node.askMember(ctx, owner, &messages.GetWhereabouts{Kind: ref.Kind, Id: ref.ID})
	if err != nil {
		return nil, err
	}
	there, ok := got.(*messages.Whereabouts)
	if !ok {
		return nil, fmt.Errorf("%s answered with %T: %w", owner.Name, got, messages.Internal)
	}
	return there, nil
}

// DrainNode has a node give its grains away, and returns once it has. It stays a
// member that owns nothing, its hosts too, until it is started again.
func (c *Client) DrainNode(ctx context.Context, name string) error {
	return c.toNode(ctx, name, &messages.DrainNode{})
}

// LeaveNode has a node leave the cloud in order and end. It returns once the
// node has begun.
func (c *Client) LeaveNode(ctx context.Context, name string) error {
	return c.toNode(ctx, name, &messages.LeaveNode{})
}

func (c *Client) toNode(ctx context.Context, name string, m proto.Message) error {
	to := view.Member{Name: c.node.config.Name}
	if c.node.net != nil {
		to, _ = c.node.routing.Load().view.ByName(name)
	}
	if to.Name != name {
		return fmt.Errorf("there is no node %s: %w", name, messages.NotFound)
	}
	_, err := c.node.askMember(ctx, to, m)
	return err
}

// askMember asks a node itself, not one of its grains, and waits until ctx ends
// or, if it has no deadline, for DefaultDeadline.
func (n *Node) askMember(ctx context.Context, to view.Member, m proto.Message) (proto.Message, error) {
	ctx, deadline, cancel := bounded(ctx)
	defer cancel()
	answers := make(chan reply, 1)
	if n.net == nil || to.ID == n.routing.Load().self {
		n.about(m, false, deadline, func(m proto.Message, err error) { answers <- reply{m, err} })
	} else {
		c := &call{to: actors.Ref{Kind: view.NodeKind, ID: to.Name}, message: m, deadline: deadline}
		e, err := c.envelope()
		if err != nil {
			return nil, err
		}
		e.Tell, e.TimeoutMs = false, max(time.Until(deadline).Milliseconds(), 1)
		n.send(n.routing.Load(), to, e, func(r *messages.Reply, err error) {
			if err != nil {
				answers <- reply{nil, err}
				return
			}
			m, err := heard(r)
			answers <- reply{m, err}
		})
	}
	select {
	case r := <-answers:
		return r.message, r.err
	case <-ctx.Done():
		return nil, fmt.Errorf("node %s did not answer in time (%w): %w", to.Name, ctx.Err(), messages.Unavailable)
	}
}
