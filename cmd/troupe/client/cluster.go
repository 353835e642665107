package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/spf13/cobra"

	"github.com/troupe-cloud/troupe/gateway/troupe/shape"
)

var nodeColumns = []column[shape.Node]{
	{"name", func(n shape.Node) string { return n.Name }},
	{"state", func(n shape.Node) string { return first(n.Problem, n.State) }},
	{"roles", func(n shape.Node) string { return n.Roles }},
	{"peers", func(n shape.Node) string { return n.Address }},
	{"api", func(n shape.Node) string { return n.API }},
	{"hosts", func(n shape.Node) string { return fmt.Sprint(len(n.Hosts)) }},
	{"actors", func(n shape.Node) string { return manyActors(n.Actors) }},
	{"commits", func(n shape.Node) string { return fmt.Sprint(n.Commits) }},
	{"version", func(n shape.Node) string { return n.Version }},
}

// manyActors is "flavor 5, host 4": what is in a node's memory.
func manyActors(by map[string]int64) string {
	var all []string
	for kind, n := range by {
		if n > 0 {
			all = append(all, fmt.Sprintf("%s %d", kind, n))
		}
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

var actorColumns = []column[shape.Whereabouts]{
	{"kind", func(x shape.Whereabouts) string { return x.Kind }},
	{"id", func(x shape.Whereabouts) string { return x.ID }},
	{"node", func(x shape.Whereabouts) string { return x.Node }},
	{"member", func(x shape.Whereabouts) string { return first(x.Member, "-") }},
	{"in memory", func(x shape.Whereabouts) string { return fmt.Sprint(x.Active) }},
	{"waits for a hand-over", func(x shape.Whereabouts) string { return fmt.Sprint(x.Waiting) }},
}

// AddCluster puts below a command those that ask a running cluster about itself.
func AddCluster(below *cobra.Command) {
	a := &app{}
	for _, c := range []*cobra.Command{a.clusterStatus(), a.clusterWhere(), a.clusterDrain(), a.clusterLeave()} {
		c.PreRunE = a.checkOutput
		a.flags(c.Flags())
		below.AddCommand(c)
	}
}

// own is a client of the cloud's own API.
func (a *app) own(ctx context.Context) (*gophercloud.ServiceClient, error) {
	if err := a.connect(ctx); err != nil {
		return nil, err
	}
	base, err := url.Parse(a.provider.IdentityBase)
	if err != nil {
		return nil, err
	}
	base.Path = "/troupe/v1/"
	return &gophercloud.ServiceClient{ProviderClient: a.provider, Endpoint: base.String()}, nil
}

func (a *app) clusterStatus() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show the nodes, what they do and what lives on them", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.own(cmd.Context())
			if err != nil {
				return err
			}
			var answer struct{ Nodes []shape.Node }
			if _, err := c.Get(cmd.Context(), c.ServiceURL("nodes"), &answer, nil); err != nil {
				return err
			}
			return list(cmd, a, answer.Nodes, nodeColumns)
		},
	}
}

func (a *app) clusterWhere() *cobra.Command {
	return &cobra.Command{
		Use: "where KIND ID", Short: "Say on which node an actor lives", Args: exactly(2),
		Long:    "Say on which node an actor lives, and whether it is in memory there. One that does not exist has a place too.",
		Example: "  troupe cluster where instance 01a20279-6365-70ab-9bf4-dff0a77ccaae\n  troupe cluster where host node1-sim-2",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.own(cmd.Context())
			if err != nil {
				return err
			}
			var answer struct{ Actor shape.Whereabouts }
			if _, err := c.Get(cmd.Context(), c.ServiceURL("actors", url.PathEscape(args[0]), url.PathEscape(args[1])), &answer, nil); err != nil {
				return err
			}
			return show(cmd, a, answer.Actor, actorColumns)
		},
	}
}

func (a *app) clusterDrain() *cobra.Command {
	return &cobra.Command{
		Use: "drain NODE", Short: "Have a node hand over everything that lives on it", Args: exactly(1),
		Long: "Have a node hand over everything that lives on it. It returns once that is done; the node goes on to\n" +
			"answer requests, but owns nothing, and its hosts count as down, until it is started again.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.tellNode(cmd, args[0], "drain", http.StatusNoContent)
		},
	}
}

func (a *app) clusterLeave() *cobra.Command {
	return &cobra.Command{
		Use: "leave NODE", Short: "Have a node hand over everything, leave the cluster and end", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.tellNode(cmd, args[0], "leave", http.StatusAccepted)
		},
	}
}

func (a *app) tellNode(cmd *cobra.Command, name, what string, want int) error {
	c, err := a.own(cmd.Context())
	if err != nil {
		return err
	}
	_, err = c.Post(cmd.Context(), c.ServiceURL("nodes", url.PathEscape(name), what), nil, nil, &gophercloud.RequestOpts{OkCodes: []int{want}})
	return err
}
