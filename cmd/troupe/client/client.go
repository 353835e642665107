// Package client owns the commands that talk to a cloud: image, flavor, keypair,
// server, group, network, host, event and quota, and config, service and migrate, which talk
// to its registry. They use the public HTTP APIs alone, through gophercloud and
// package nacos, so they work against any cloud and any registry that speaks them.
// Nothing here knows an actor.
package client

import (
	"context"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The microversions that the commands ask for: the lowest that have what is shown.
const (
	serversVersion  = "2.73" // flavor embedded (2.47), tags (2.52), description (2.19)
	flavorsVersion  = "2.61" // description and extra specs
	keypairsVersion = "2.10" // types (2.2); the cloud still makes keys (until 2.91)
	hostsVersion    = "2.53" // ids are UUIDs
	actionsVersion  = "2.62" // steps for all users, with hosts
)

// app is what all commands share: the connection flags and the form of output.
type app struct {
	cloud, configFile string
	output            string
	provider          *gophercloud.ProviderClient
	endpoint          gophercloud.EndpointOpts
}

// Add puts the client commands below root.
func Add(root *cobra.Command) {
	a := &app{}
	for _, c := range []*cobra.Command{
		a.serverCommand(), a.imageCommand(), a.flavorCommand(), a.keypairCommand(),
		a.networkCommand(), a.hostCommand(), a.eventCommand(), a.quotaCommand(),
		a.scalingGroupCommand(),
	} {
		c.GroupID = "client"
		a.flags(c.PersistentFlags())
		root.AddCommand(c)
	}
	addRegistry(root)
	root.AddGroup(&cobra.Group{ID: "client", Title: "Commands of a cloud's user:"})
}

func (a *app) flags(f *pflag.FlagSet) {
	f.StringVar(&a.cloud, "os-cloud", "", "name of the cloud in clouds.yaml (OS_CLOUD)")
	f.StringVar(&a.configFile, "os-client-config-file", "", "path of clouds.yaml (OS_CLIENT_CONFIG_FILE)")
	f.StringVarP(&a.output, "output", "o", formatTable, "form of the output: table, json or yaml")
}

// compute is a client of the compute API at a microversion.
func (a *app) compute(ctx context.Context, microversion string) (*gophercloud.ServiceClient, error) {
	if err := a.connect(ctx); err != nil {
		return nil, err
	}
	c, err := openstack.NewComputeV2(a.provider, a.endpoint)
	if err == nil {
		c.Microversion = microversion
	}
	return c, err
}

func (a *app) images(ctx context.Context) (*gophercloud.ServiceClient, error) {
	if err := a.connect(ctx); err != nil {
		return nil, err
	}
	return openstack.NewImageV2(a.provider, a.endpoint)
}

func (a *app) networks(ctx context.Context) (*gophercloud.ServiceClient, error) {
	if err := a.connect(ctx); err != nil {
		return nil, err
	}
	return openstack.NewNetworkV2(a.provider, a.endpoint)
}
