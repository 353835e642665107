package native

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/order"
	"github.com/troupe-cloud/troupe/messages"
)

// order has a server created, and answers once it is committed as BUILD. Asked
// again under the same id it gives the same answer, also when what it refers to is
// gone by then.
func (f *Front) order(ctx context.Context, m *messages.OrderInstance) (proto.Message, error) {
	if m.GetId() == "" || m.GetName() == "" || m.GetProjectId() == "" {
		return nil, fmt.Errorf("an order needs an id, a name and a project: %w", messages.Invalid)
	}
	c, err := f.command(ctx, m)
	if err == nil {
		return f.cloud.Ask(ctx, instanceRef(c.Id), c)
	}
	if v, e := cluster.Ask[*messages.InstanceView](ctx, f.cloud, instanceRef(m.GetId()), &messages.GetInstance{Scope: m.GetProjectId()}); e == nil {
		return v, nil
	}
	return nil, err
}

// command looks up what the order refers to.
func (f *Front) command(ctx context.Context, m *messages.OrderInstance) (c *messages.CreateInstance, err error) {
	c = &messages.CreateInstance{
		Id: m.GetId(), Name: m.GetName(), ProjectId: m.GetProjectId(), UserId: m.GetUserId(), RequestId: cluster.RequestID(ctx),
		KeyName: m.GetKeyName(), PublicKey: m.GetPublicKey(), UserData: m.GetUserData(), Metadata: m.GetMetadata(), Tags: m.GetTags(),
		AvailabilityZone: m.GetAvailabilityZone(), Host: m.GetHost(), AdminPassword: m.GetAdminPassword(), ConfigDrive: m.GetConfigDrive(),
		Description: m.GetDescription(), Hostname: m.GetHostname(), Hints: m.GetHints(),
	}
	if c.Hostname == "" {
		c.Hostname = order.Hostname(c.Name, c.Id)
	}
	order.Complete(c)
	desk := order.Desk{Cloud: f.cloud, Scope: m.GetScope(), Project: c.ProjectId, User: c.UserId}
	if err := desk.Metadata(ctx, len(c.Metadata)); err != nil {
		return nil, err
	}
	if c.Flavor, err = f.flavor(ctx, desk, m.GetFlavor()); err != nil {
		return nil, err
	}
	if c.Image, err = f.image(ctx, desk, m.GetImage(), c.Flavor); err != nil {
		return nil, err
	}
	if c.Networks, err = f.interfaces(ctx, desk, m); err != nil {
		return nil, err
	}
	if c.PublicKey == "" {
		c.PublicKey, err = desk.PublicKey(ctx, c.KeyName)
	}
	return c, err
}

// flavor is the flavor of that id or name.
func (f *Front) flavor(ctx context.Context, desk order.Desk, named string) (*messages.Flavor, error) {
	id, err := one(ctx, named, "flavor", f.flavorList(desk.Scope))
	if err != nil {
		return nil, err
	}
	return desk.Flavor(ctx, id)
}

func (f *Front) image(ctx context.Context, desk order.Desk, named string, flavor *messages.Flavor) (*messages.ImageRef, error) {
	id, err := one(ctx, named, "image", f.imageList(desk.Scope))
	if err != nil {
		return nil, err
	}
	return desk.Image(ctx, id, flavor)
}

// interfaces are those of the order: none said means the only network there is.
func (f *Front) interfaces(ctx context.Context, desk order.Desk, m *messages.OrderInstance) ([]*messages.NetworkRequest, error) {
	switch {
	case m.GetNoNetwork() && len(m.GetNetworks()) > 0:
		return nil, fmt.Errorf("networks, and none at all, are asked for together: %w", messages.Invalid)
	case m.GetNoNetwork():
		return nil, nil
	case len(m.GetNetworks()) == 0:
		n, err := desk.OnlyNetwork(ctx)
		if n == nil || err != nil {
			return nil, err
		}
		return []*messages.NetworkRequest{{NetworkId: n.Id}}, nil
	}
	var ordered []order.Interface
	for _, n := range m.GetNetworks() {
		i := order.Interface{Port: n.GetPortId(), FixedIP: n.GetFixedIp()}
		if i.Port == "" {
			var err error
			if i.Network, err = one(ctx, n.GetNetworkId(), "network", f.networkList(desk.Scope)); err != nil {
				return nil, err
			}
		}
		ordered = append(ordered, i)
	}
	return desk.Networks(ctx, ordered, 1)
}
