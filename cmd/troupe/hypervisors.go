package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/troupe-cloud/troupe/drivers/libvirt"
	"github.com/troupe-cloud/troupe/drivers/libvirt/flatnet"
	"github.com/troupe-cloud/troupe/drivers/sim"
	"github.com/troupe-cloud/troupe/gateway/metadata"
)

// attachHosts makes this node the one that drives the hypervisors.
func (c *cloud) attachHosts(ctx context.Context) error {
	if c.config.Driver == driverLibvirt {
		return c.attachLibvirt(ctx)
	}
	return c.attachSim()
}

// attachSim simulates hosts whose domains outlive this process.
func (c *cloud) attachSim() error {
	journal, err := sim.OpenJournal(filepath.Join(c.config.Data, "sim"))
	if err != nil {
		return err
	}
	c.beforeRuntime("journal of the simulated hosts", func(context.Context) error { return journal.Close() })
	for i := range c.config.SimHosts {
		name := fmt.Sprintf("sim-%d", i+1)
		d := sim.New(sim.Config{Name: name, Journal: journal, Images: c.blobs, Seed: uint64(i)})
		c.beforeRuntime(name, func(context.Context) error { return d.Close() })
		if err := c.node.AttachHost(name, c.config.Zone, d); err != nil {
			return err
		}
	}
	c.hypervisors = fmt.Sprintf("driver sim, %d hosts", c.config.SimHosts)
	return nil
}

// attachLibvirt drives the real hypervisor, with its flat network and the
// metadata service in it.
func (c *cloud) attachLibvirt(ctx context.Context) error {
	net, err := flatnet.Open(ctx, flatnet.Config{
		CIDR: c.config.cidr, Namespace: c.config.Namespace, Bridge: c.config.Bridge, Log: c.log,
	})
	if err != nil {
		return err
	}
	c.beforeRuntime("network", func(context.Context) error { return net.Close() })
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	d, err := libvirt.New(ctx, libvirt.Config{
		URI: c.config.LibvirtURI, Dir: filepath.Join(c.config.Data, "instances"),
		Images: c.blobs, Network: net, Name: name, Log: c.log,
	})
	if err != nil {
		return err
	}
	c.beforeRuntime("libvirt", func(context.Context) error { return d.Close() })
	if err := c.node.AttachHost(name, c.config.Zone, d); err != nil {
		return err
	}
	l, err := net.Listen(ctx, flatnet.MetadataAddress+":80")
	if err != nil {
		return fmt.Errorf("metadata service: %w", err)
	}
	h := metadata.New(metadata.ByIndex{Client: c.client}, c.networkID, c.log)
	c.listen("metadata service", l, metadata.Server(h))
	c.hypervisors = "driver libvirt, host " + name
	return nil
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
