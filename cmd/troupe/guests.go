package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/drivers/libvirt/flatnet"
	"github.com/troupe-cloud/troupe/drivers/probe"
	"github.com/troupe-cloud/troupe/messages"
)

// guests is the way to the machines of this process' hypervisor. Actors look at
// endpoints before it is attached.
type guests struct {
	network atomic.Pointer[flatnet.Network]
}

// DialGuest is drivers.GuestDialer's.
func (g *guests) DialGuest(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	if n := g.network.Load(); n != nil {
		return n.DialGuest(ctx, to)
	}
	return nil, fmt.Errorf("this process has no hypervisor with a network: %w", messages.NotFound)
}

// way is the way to guests, or nil where there will be none.
func (c *cloud) way() drivers.GuestDialer {
	if c.config.Driver != driverLibvirt {
		return nil
	}
	return &c.guests
}

// prober looks at endpoints: at those that servers of the cloud have announced, from
// within their network, and at what others have registered from outside, so that
// nobody looks into that network by registering a guest's address.
func (c *cloud) prober() cluster.Prober {
	announced, others := probe.New(c.way()), probe.New(nil)
	return func(ctx context.Context, key *messages.EndpointKey, check *messages.HealthCheck) error {
		if _, server := service.ServerOf(key.GetOwner()); server {
			return announced.Probe(ctx, key, check)
		}
		return others.Probe(ctx, key, check)
	}
}
