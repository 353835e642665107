package client

import (
	"strconv"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"
	"github.com/spf13/cobra"
)

// networkRow is a network as it is shown.
type networkRow struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Status  string   `json:"status"`
	Shared  bool     `json:"shared"`
	Subnets []string `json:"subnets"` // ids in a list, ranges of addresses where one is shown
	Project string   `json:"project_id"`
}

func newNetworkRow(n networks.Network) networkRow {
	return networkRow{ID: n.ID, Name: n.Name, Status: n.Status, Shared: n.Shared, Subnets: n.Subnets, Project: n.ProjectID}
}

var networkColumns = []column[networkRow]{
	{"id", func(n networkRow) string { return n.ID }},
	{"name", func(n networkRow) string { return n.Name }},
	{"status", func(n networkRow) string { return n.Status }},
	{"shared", func(n networkRow) string { return strconv.FormatBool(n.Shared) }},
	{"subnets", func(n networkRow) string { return strings.Join(n.Subnets, ", ") }},
}

func (a *app) networkCommand() *cobra.Command {
	return a.group("network", "Networks for servers: list, show", a.networkList(), a.networkShow())
}

func (a *app) networkList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the networks that servers may be on", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.networks(cmd.Context())
			if err != nil {
				return err
			}
			pages, err := networks.List(c, networks.ListOpts{}).AllPages(cmd.Context())
			if err != nil {
				return err
			}
			all, err := networks.ExtractNetworks(pages)
			if err != nil {
				return err
			}
			return list(cmd, a, mapped(all, newNetworkRow), networkColumns)
		},
	}
}

func (a *app) networkShow() *cobra.Command {
	return &cobra.Command{
		Use: "show NETWORK", Short: "Show a network and its addresses", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.networks(cmd.Context())
			if err != nil {
				return err
			}
			n, err := findNetwork(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			row := newNetworkRow(n)
			for i, id := range row.Subnets {
				s, err := subnets.Get(cmd.Context(), c, id).Extract()
				if err != nil {
					return err
				}
				row.Subnets[i] = s.CIDR
			}
			return show(cmd, a, row, networkColumns)
		},
	}
}
