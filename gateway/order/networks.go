package order

import (
	"cmp"
	"context"

	"github.com/google/uuid"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/messages"
)

// MaxInterfaces is how many network interfaces a server may have.
const MaxInterfaces = 16

// Interface is one network interface as it is ordered: on a network, or by a port
// that exists.
type Interface struct{ Network, Port, FixedIP string }

// Networks are the interfaces of count servers.
func (d Desk) Networks(ctx context.Context, ordered []Interface, count int) ([]*messages.NetworkRequest, error) {
	if len(ordered) > MaxInterfaces {
		return nil, invalid("a server may have %d network interfaces", MaxInterfaces)
	}
	var requests []*messages.NetworkRequest
	ports := map[string]bool{}
	for _, i := range ordered {
		var n *messages.NetworkRequest
		var err error
		if i.Port != "" {
			n, err = d.byPort(ctx, i, ports, count)
		} else {
			n, err = d.byNetwork(ctx, i, count)
		}
		if err != nil {
			return nil, err
		}
		requests = append(requests, n)
	}
	return requests, nil
}

// OnlyNetwork is the network that the project may use, if there is exactly one;
// nil if there is none, Conflict if there are several.
func (d Desk) OnlyNetwork(ctx context.Context) (*messages.NetworkView, error) {
	return recall(d.Cloud, subject{kind: network.Kind, of: d.Project}, func(cloud Cloud) (*messages.NetworkView, error) {
		return onlyNetwork(ctx, cloud, d.Project)
	})
}

func onlyNetwork(ctx context.Context, cloud Cloud, project string) (*messages.NetworkView, error) {
	entries, err := below(ctx, cloud, network.IndexProject(project), network.IndexShared)
	if err != nil {
		return nil, err
	}
	var one only
	for _, e := range entries {
		n, err := Read(e, &messages.NetworkView{})
		if err == nil {
			err = one.see(n)
		}
		if err != nil {
			return nil, err
		}
	}
	return one.found, nil
}

// gatherer is a Cloud in which several lists are one journey, as in a *cluster.Client.
type gatherer interface {
	ListAll(ctx context.Context, prefixes ...string) ([]actors.Entry, error)
}

// below are all index entries below some prefixes.
func below(ctx context.Context, cloud Cloud, prefixes ...string) (entries []actors.Entry, err error) {
	if g, ok := cloud.(gatherer); ok {
		return g.ListAll(ctx, prefixes...)
	}
	for _, p := range prefixes {
		err = cmp.Or(err, Each(ctx, cloud, p, func(e actors.Entry) (bool, error) {
			entries = append(entries, e)
			return true, nil
		}))
	}
	return entries, err
}

// only is a network that is not yet one of several.
type only struct{ found *messages.NetworkView }

func (o *only) see(n *messages.NetworkView) error {
	switch {
	case len(n.Subnets) == 0 || n.AdminStateDown || o.found != nil && o.found.Id == n.Id:
		return nil
	case o.found != nil:
		return refuse(messages.Conflict, "Multiple possible networks found, use a Network ID to be more specific.")
	}
	o.found = n
	return nil
}

// byPort joins the server to a port that exists.
func (d Desk) byPort(ctx context.Context, i Interface, seen map[string]bool, count int) (*messages.NetworkRequest, error) {
	id := canonical(i.Port)
	switch {
	case seen[id]:
		return nil, invalid("port ID '%s' was specified twice: you cannot attach a port multiple times", id)
	case i.FixedIP != "":
		return nil, invalid("specified Fixed IP '%s' cannot be used with port '%s': the two cannot be specified together", i.FixedIP, id)
	case count > 1:
		return nil, invalid("unable to launch multiple instances with a single configured port ID. Please launch your instance one by one with different ports")
	}
	seen[id] = true
	port, err := d.port(ctx, id)
	switch {
	case err != nil:
		return nil, err
	case port == nil:
		return nil, invalid("port id %s could not be found", shown(id))
	case port.InstanceId != "":
		return nil, refuse(messages.Conflict, "port %s is still in use", id)
	}
	return &messages.NetworkRequest{NetworkId: port.Port.NetworkId, PortId: id}, nil
}

// port is the port with that id, if the caller may see it; else nil. The index
// knows its network, and the network knows the port.
func (d Desk) port(ctx context.Context, id string) (port *messages.PortView, err error) {
	key := network.IndexPort(id)
	err = Each(ctx, d.Cloud, key, func(e actors.Entry) (bool, error) {
		if e.Key != key {
			return true, nil
		}
		port, err = cluster.Ask[*messages.PortView](ctx, d.Cloud, actors.Ref{Kind: network.Kind, ID: string(e.Value)},
			&messages.GetPort{Scope: d.Scope, PortId: id})
		return false, err
	})
	return port, unless(err, nil)
}

func (d Desk) byNetwork(ctx context.Context, i Interface, count int) (*messages.NetworkRequest, error) {
	if i.FixedIP != "" && count > 1 {
		return nil, invalid("failed to launch instances: max_count cannot be greater than 1 if an fixed_ip is specified")
	}
	id := canonical(i.Network)
	n, err := cluster.Ask[*messages.NetworkView](ctx, d.Cloud, actors.Ref{Kind: network.Kind, ID: id}, &messages.GetNetwork{Scope: d.Scope})
	switch {
	case err != nil:
		return nil, unless(err, invalid("network %s could not be found", shown(id)))
	case len(n.Subnets) == 0:
		return nil, invalid("network %s requires a subnet in order to boot instances on", id)
	}
	return &messages.NetworkRequest{NetworkId: id, FixedIp: i.FixedIP}, nil
}

// canonical is the usual spelling of a UUID; what is none stays as it is.
func canonical(id string) string {
	u, err := uuid.Parse(id)
	if err != nil {
		return id
	}
	return u.String()
}
