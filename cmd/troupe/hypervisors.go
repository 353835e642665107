package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/host"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/drivers/libvirt"
	"github.com/troupe-cloud/troupe/drivers/libvirt/flatnet"
	"github.com/troupe-cloud/troupe/drivers/sim"
	"github.com/troupe-cloud/troupe/gateway/metadata"
	"github.com/troupe-cloud/troupe/messages"
)

// How long the first connections to the hypervisors are waited for, so that a
// server created the moment the cloud says it is ready finds them. libvirt may
// first have to ask a newly installed QEMU what it can do.
const (
	hostsTimeout = 30 * time.Second
	hostsPause   = 10 * time.Millisecond
)

// attachHosts makes this node the one that drives the hypervisors.
func (c *cloud) attachHosts(ctx context.Context) error {
	names, err := c.attach(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, hostsTimeout)
	defer cancel()
	for _, name := range names {
		if err := c.awaitHost(ctx, name); err != nil {
			c.log.Warn().Err(err).Str("host", name).Msg("not connected yet")
			return nil
		}
	}
	return nil
}

func (c *cloud) attach(ctx context.Context) (names []string, err error) {
	if c.config.Driver == driverLibvirt {
		return c.attachLibvirt(ctx)
	}
	return c.attachSim(ctx)
}

// awaitHost waits until the host has heard of its hypervisor.
func (c *cloud) awaitHost(ctx context.Context, name string) error {
	to := actors.Ref{Kind: host.Kind, ID: name}
	for {
		v, err := cluster.Ask[*messages.HostView](ctx, c.client, to, &messages.GetHost{})
		if err == nil && v.GetFacts().GetUp() {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(hostsPause):
		}
	}
}

// attachSim simulates hosts whose domains outlive this process.
func (c *cloud) attachSim(ctx context.Context) (names []string, err error) {
	journal, err := sim.OpenJournal(filepath.Join(c.config.Data, "sim"))
	if err != nil {
		return nil, err
	}
	c.beforeRuntime("journal of the simulated hosts", func(context.Context) error { return journal.Close() })
	var storage *sim.Shared
	if dir := c.config.InstancesShared; dir != "" {
		if storage, err = sim.OpenShared(ctx, dir); err != nil {
			return nil, err
		}
	}
	for i := range c.config.SimHosts {
		name := fmt.Sprintf("%s-%d", first(c.config.HostName, "sim"), i+1)
		names = append(names, name)
		d := sim.New(sim.Config{Name: name, Journal: journal, Images: c.blobs, Shared: storage, Seed: uint64(i)})
		c.beforeRuntime(name, func(context.Context) error { return d.Close() })
		if err := c.node.AttachHost(name, c.config.Zone, d); err != nil {
			return nil, err
		}
	}
	c.hypervisors = fmt.Sprintf("driver sim, %d hosts", c.config.SimHosts)
	return names, nil
}

// attachLibvirt drives the real hypervisor, with its flat network and the
// metadata service in it.
func (c *cloud) attachLibvirt(ctx context.Context) (names []string, err error) {
	net, err := flatnet.Open(ctx, flatnet.Config{
		CIDR: c.config.cidr, Namespace: c.config.Namespace, Bridge: c.config.Bridge, Log: c.log,
	})
	if err != nil {
		return nil, err
	}
	c.beforeRuntime("network", func(context.Context) error { return net.Close() })
	c.guests.network.Store(net)
	name := c.config.HostName
	if name == "" {
		if name, err = os.Hostname(); err != nil {
			return nil, err
		}
	}
	d, err := libvirt.New(ctx, libvirt.Config{
		URI: c.config.LibvirtURI, Dir: first(c.config.InstancesShared, filepath.Join(c.config.Data, "instances")), Shared: c.config.InstancesShared != "",
		Images: c.blobs, Network: net, Name: name, Log: c.log,
	})
	if err != nil {
		return nil, err
	}
	c.beforeRuntime("libvirt", func(context.Context) error { return d.Close() })
	if err := c.node.AttachHost(name, c.config.Zone, d); err != nil {
		return nil, err
	}
	l, err := net.Listen(ctx, flatnet.MetadataAddress+":80")
	if err != nil {
		return nil, fmt.Errorf("metadata service: %w", err)
	}
	h := metadata.New(metadata.ByIndex{Client: c.client}, c.networkID, c.log)
	c.listen("metadata service", l, metadata.Server(h))
	c.hypervisors = "driver libvirt, host " + name
	return []string{name}, nil
}

// beforeRuntime closes something after the runtime has stopped, for the runtime
// uses it to the end.
func (c *cloud) beforeRuntime(what string, do func(context.Context) error) {
	for i, known := range c.closers {
		if known.what == "runtime" {
			c.closers = append(c.closers[:i], append([]closer{{what, do}}, c.closers[i:]...)...)
			return
		}
	}
	c.onStop(what, do)
}
