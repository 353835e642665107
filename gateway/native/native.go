// Package native owns the dialect of programs that speak to actors directly, with
// a client's certificate: what they ask of the cloud as a whole, which no one
// actor knows. It looks up what an order refers to and reads lists; it knows no
// rule of the cloud, and who may ask what was decided before it is called.
package native

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/order"
	"github.com/troupe-cloud/troupe/messages"
)

// Front is the dialect; a cluster.Front.
type Front struct{ cloud order.Cloud }

var _ cluster.Front = (*Front)(nil)

// New makes the dialect.
func New(cloud order.Cloud) *Front { return &Front{cloud: cloud} }

// Answer is cluster.Front's.
func (f *Front) Answer(ctx context.Context, m proto.Message) (proto.Message, error) {
	switch m := m.(type) {
	case *messages.OrderInstance:
		return f.order(ctx, m)
	case *messages.GetInstances:
		return f.instances(ctx, m)
	case *messages.GetFlavors:
		return f.flavors(ctx, m)
	case *messages.GetImages:
		return f.images(ctx, m)
	case *messages.GetNetworks:
		return f.networks(ctx, m)
	case *messages.GetInstanceConsole:
		return f.console(ctx, m)
	}
	return nil, fmt.Errorf("the cloud cannot take %s: %w", m.ProtoReflect().Descriptor().Name(), messages.Invalid)
}

// console is the end of a server's console log, which its host has.
func (f *Front) console(ctx context.Context, m *messages.GetInstanceConsole) (proto.Message, error) {
	v, err := cluster.Ask[*messages.InstanceView](ctx, f.cloud, instanceRef(m.GetInstanceId()), &messages.GetInstance{Scope: m.GetScope()})
	if err != nil {
		return nil, err
	}
	if v.Host == "" {
		return nil, fmt.Errorf("instance %s has no host yet: %w", v.Id, messages.Conflict)
	}
	return f.cloud.Ask(ctx, actors.Ref{Kind: "host", ID: v.Host}, &messages.GetConsole{InstanceId: v.Id, MaxBytes: m.GetMaxBytes()})
}

func instanceRef(id string) actors.Ref { return actors.Ref{Kind: "instance", ID: id} }
