package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/flavor"
	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/gateway/openstack/compute"
	"github.com/troupe-cloud/troupe/gateway/openstack/identity"
	"github.com/troupe-cloud/troupe/messages"
)

// Once the cloud had its first flavors and network, what its administrators
// removed later stays away.
const (
	furnishedFile = ".furnished"        // in the data folder
	furnishedKey  = "cluster/furnished" // in the store of a cluster
)

// furnish gives a new cloud its administrator, flavors and network.
func (c *cloud) furnish(ctx context.Context) error {
	registry := ""
	if c.registry != nil {
		registry = "http://" + c.registry.address
	}
	who, err := identity.Bootstrap(ctx, identity.Setup{
		RegistryURL: registry, Client: c.client, Dir: c.config.Data, BaseURL: c.url, ComputeVersion: compute.MaxVersion.String(), Shared: c.sharedAdmin(),
	})
	if err != nil {
		return err
	}
	done, err := c.furnished(ctx)
	if err != nil {
		return err
	}
	if done {
		return c.checkNetwork(ctx)
	}
	if err := c.makeFlavors(ctx); err != nil {
		return err
	}
	if err := c.makeNetwork(ctx, who.ProjectID); err != nil {
		return err
	}
	return c.setFurnished(ctx)
}

// furnished says whether the cloud has had its first flavors and network: a cloud
// of one process in its folder, one of several nodes in the store they share.
func (c *cloud) furnished(ctx context.Context) (bool, error) {
	if c.member == nil {
		_, err := os.Stat(filepath.Join(c.config.Data, furnishedFile))
		return err == nil, nil
	}
	_, err := c.store.Get(ctx, furnishedKey)
	if errors.Is(err, messages.NotFound) {
		return false, nil
	}
	return err == nil, err
}

func (c *cloud) setFurnished(ctx context.Context) error {
	if c.member == nil {
		return os.WriteFile(filepath.Join(c.config.Data, furnishedFile), nil, 0o600)
	}
	_, err := c.store.Commit(ctx, store.Txn{Writes: []store.Write{{Key: furnishedKey, Value: []byte("1")}}})
	return err
}

// makeNetwork makes the flat network, which belongs to the project owner.
func (c *cloud) makeNetwork(ctx context.Context, owner string) error {
	id, net, subnet := network.Flat(c.config.cidr, owner)
	c.networkID = id
	for _, m := range []actors.Message{net, subnet} {
		if err := done(c.client.Ask(ctx, network.Ref(id), m)); err != nil {
			return fmt.Errorf("network %s: %w", network.FlatName, err)
		}
	}
	return nil
}

// checkNetwork refuses another range of addresses than the network was made with.
func (c *cloud) checkNetwork(ctx context.Context) error {
	c.networkID, _, _ = network.Flat(c.config.cidr, "")
	net, err := cluster.Ask[*messages.NetworkView](ctx, c.client, network.Ref(c.networkID), &messages.GetNetwork{})
	if errors.Is(err, messages.NotFound) {
		return nil // an administrator removed it
	}
	if err != nil {
		return err
	}
	var have []string
	for _, s := range net.GetSubnets() {
		have = append(have, s.GetCidr())
	}
	if !slices.Contains(have, c.config.cidr.String()) {
		return badSetting("--flat-cidr %s: network %s of this cloud has the addresses %v", c.config.cidr, network.FlatName, have)
	}
	return nil
}

func (c *cloud) makeFlavors(ctx context.Context) error {
	for _, f := range flavor.Defaults() {
		to := actors.Ref{Kind: flavor.Kind, ID: f.GetId()}
		if err := done(c.client.Ask(ctx, to, &messages.CreateFlavor{Flavor: f})); err != nil {
			return fmt.Errorf("flavor %s: %w", f.GetName(), err)
		}
	}
	return nil
}

// done takes what is there already for success.
func done(_ actors.Message, err error) error {
	if errors.Is(err, messages.Conflict) {
		return nil
	}
	return err
}
