package client

import (
	"context"
	"iter"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/messages"
)

// cloudKind is what is asked of the cloud as a whole; any node answers.
const cloudKind = "cloud"

// Members are the nodes of the cluster.
func (c *Client) Members(ctx context.Context) ([]*messages.Member, error) {
	v, err := Ask[*messages.MembersView](ctx, c, cloudKind, "", &messages.GetMembers{})
	if err == nil {
		c.nodes.learn(v.GetMembers())
	}
	return v.GetMembers(), err
}

// look asks one node who is there.
func (c *Client) look(ctx context.Context, at *node) error {
	e, err := c.envelope(ctx, cloudKind, "", &messages.GetMembers{})
	if err != nil {
		return err
	}
	reply, err := c.dialer.Call(ctx, at.member(), e)
	if err != nil {
		return err
	}
	if reply.GetMoved() {
		return &messages.Refusal{Kind: messages.Unavailable, Sentence: reply.GetMessage()}
	}
	got, err := answer(reply)
	if v, ok := got.(*messages.MembersView); ok {
		c.nodes.worked(at)
		c.nodes.learn(v.GetMembers())
	}
	return err
}

// listed is a page of a list.
type listed[T any] interface {
	proto.Message
	GetNext() string
}

// pages asks for one page after the other, until it has all or yield has enough.
func pages[V listed[T], T any](ctx context.Context, c *Client, ask func(after string) proto.Message, of func(V) []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		for after := ""; ; {
			v, err := Ask[V](ctx, c, cloudKind, "", ask(after))
			if err != nil {
				yield(none, err)
				return
			}
			for _, one := range of(v) {
				if !yield(one, nil) {
					return
				}
			}
			if after = v.GetNext(); after == "" {
				return
			}
		}
	}
}

// pageSize is how many things of a list one answer has.
const pageSize = 500

// Instances are the servers of a project, the newest first; "" are those that the
// certificate may see: of all projects, or of its own. An error ends the list.
func (c *Client) Instances(ctx context.Context, project string) iter.Seq2[*messages.InstanceView, error] {
	return pages(ctx, c, func(after string) proto.Message {
		return &messages.GetInstances{Scope: project, After: after, Limit: pageSize}
	}, (*messages.InstancesView).GetInstances)
}

// Flavors are the sizes that a project may order; "" as for Instances.
func (c *Client) Flavors(ctx context.Context, project string) iter.Seq2[*messages.Flavor, error] {
	return pages(ctx, c, func(after string) proto.Message {
		return &messages.GetFlavors{Scope: project, After: after, Limit: pageSize}
	}, (*messages.FlavorsView).GetFlavors)
}

// Images are those that a project may see in lists; "" as for Instances.
func (c *Client) Images(ctx context.Context, project string) iter.Seq2[*messages.ImageView, error] {
	return pages(ctx, c, func(after string) proto.Message {
		return &messages.GetImages{Scope: project, After: after, Limit: pageSize}
	}, (*messages.ImagesView).GetImages)
}

// Networks are those that a project may use; "" as for Instances.
func (c *Client) Networks(ctx context.Context, project string) iter.Seq2[*messages.NetworkView, error] {
	return pages(ctx, c, func(after string) proto.Message {
		return &messages.GetNetworks{Scope: project, After: after, Limit: pageSize}
	}, (*messages.NetworksView).GetNetworks)
}
