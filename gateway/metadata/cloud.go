package metadata

import (
	"context"
	"fmt"
	"net/netip"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/actors/machine"
	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/watch"
	"github.com/troupe-cloud/troupe/messages"
)

// Client is what the service needs of the actor system; *cluster.Client is one.
type Client interface {
	cluster.Asker
	Watch(ctx context.Context, ref actors.Ref, get proto.Message) (<-chan watch.Change, error)
	List(ctx context.Context, page cluster.Page) (entries []actors.Entry, more bool, err error)
}

// ByIndex finds instances by the network's index of addresses.
type ByIndex struct{ Client Client }

// WatchConfig is Cloud's.
func (b ByIndex) WatchConfig(ctx context.Context, c machine.Config) (<-chan watch.Change, error) {
	return b.Client.Watch(ctx, config.Ref(c.Namespace, c.Group, c.DataID), &messages.GetConfigDetail{})
}

// ByAddress is Cloud's. An instance that gave the address up since is not found:
// the view itself must have it.
func (b ByIndex) ByAddress(ctx context.Context, networkID string, address netip.Addr) (*messages.InstanceView, error) {
	key := network.IndexAddress(networkID, address.String())
	entries, _, err := b.Client.List(ctx, cluster.Page{Prefix: key, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 || entries[0].Key != key { // 10.0.0.1 is also the start of 10.0.0.12
		return nil, fmt.Errorf("nobody has %s: %w", address, messages.NotFound)
	}
	to := actors.Ref{Kind: "instance", ID: string(entries[0].Value)}
	view, err := cluster.Ask[*messages.InstanceView](ctx, b.Client, to, &messages.GetInstance{})
	if err != nil {
		return nil, err
	}
	for _, p := range view.GetPorts() {
		if p.GetNetworkId() == networkID && p.GetAddress() == address.String() {
			return view, nil
		}
	}
	return nil, fmt.Errorf("%s has given %s up: %w", to, address, messages.NotFound)
}
