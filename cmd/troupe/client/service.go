package client

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/troupe-cloud/troupe/actors/machine"
	"github.com/troupe-cloud/troupe/balancer"
	"github.com/troupe-cloud/troupe/cmd/troupe/nacos"
)

var serviceColumns = []column[nacos.Service]{
	{"name", func(s nacos.Service) string { return s.Name }},
	{"group", func(s nacos.Service) string { return s.Group }},
	{"clusters", func(s nacos.Service) string { return fmt.Sprint(s.ClusterCount) }},
	{"endpoints", func(s nacos.Service) string { return fmt.Sprint(s.Endpoints) }},
	{"healthy", func(s nacos.Service) string { return fmt.Sprint(s.Healthy) }},
}

var endpointColumns = []column[nacos.Endpoint]{
	{"address", address},
	{"cluster", func(e nacos.Endpoint) string { return e.Cluster }},
	{"weight", func(e nacos.Endpoint) string { return strconv.FormatFloat(e.Weight, 'g', -1, 64) }},
	{"healthy", func(e nacos.Endpoint) string { return fmt.Sprint(e.Healthy) }},
	{"enabled", func(e nacos.Endpoint) string { return fmt.Sprint(e.Enabled) }},
	{"kept by", func(e nacos.Endpoint) string {
		switch {
		case !e.Ephemeral:
			return "the registry"
		case e.Metadata[machine.EndpointInstance] != "":
			return "its server"
		}
		return "its client"
	}},
	{"metadata", func(e nacos.Endpoint) string { return metadata(e.Metadata) }},
}

func address(e nacos.Endpoint) string { return net.JoinHostPort(e.IP, strconv.Itoa(e.Port)) }

func metadata(m map[string]string) string {
	all := make([]string, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		all = append(all, k+"="+m[k])
	}
	return strings.Join(all, ",")
}

func (r *registryApp) serviceCommand() *cobra.Command {
	return r.commands("service", "Services of the registry: list, show, register, watch",
		r.serviceList(), r.serviceShow(), r.serviceRegister(), r.serviceWatch())
}

func (r *registryApp) serviceList() *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use: "list [TEXT]", Short: "List services; with a text, those whose name holds it", Args: cobra.MaximumNArgs(1),
		RunE: r.asked(func(cmd *cobra.Command, c *nacos.Client, args []string) error {
			of := nacos.ServiceKey{Namespace: r.namespace, Group: r.group, Name: strings.Join(args, "")}
			all, total, err := pagesOf(limit, func(number, size int) ([]nacos.Service, int, error) {
				return c.Services(cmd.Context(), of, number, size)
			})
			if err != nil {
				return err
			}
			cutShort(cmd, len(all), total)
			return list(cmd, &r.app, all, serviceColumns)
		}),
	}
	c.Flags().IntVar(&limit, "limit", defaultLimit, "how many at most")
	return c
}

// shownService is a service with its endpoints.
type shownService struct {
	nacos.Service
	All   []nacos.Endpoint `json:"instances"`
	Wrong []string         `json:"wrong,omitempty"` // settings of the balancer that do not count, and why
}

func (r *registryApp) serviceShow() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show the endpoints of a service; with -o json all that is known of it", Args: exactly(1),
		RunE: r.asked(func(cmd *cobra.Command, c *nacos.Client, args []string) error {
			s, err := c.Service(cmd.Context(), r.service(args[0]))
			if err != nil {
				return err
			}
			var clusters []string
			for _, x := range s.Clusters {
				clusters = append(clusters, x.Name)
			}
			all, err := c.Endpoints(cmd.Context(), s.ServiceKey, clusters...)
			if err != nil {
				return err
			}
			shown := shownService{Service: s, All: all}
			if _, err := balancer.WishesOf(s.Metadata); err != nil {
				shown.Wrong = strings.Split(err.Error(), "\n")
			}
			if r.output != formatTable {
				return encode(cmd.OutOrStdout(), r.output, shown)
			}
			for _, wrong := range shown.Wrong {
				fmt.Fprintf(cmd.ErrOrStderr(), "a setting of the balancer does not count: %s\n", printable(wrong))
			}
			return list(cmd, &r.app, all, endpointColumns)
		}),
	}
}

func (r *registryApp) serviceRegister() *cobra.Command {
	e := nacos.Endpoint{Enabled: true, Healthy: true}
	var persistent bool
	var meta []string
	c := &cobra.Command{
		Use: "register NAME HOST:PORT", Short: "Register an endpoint, and keep it alive until interrupted", Args: exactly(2),
		Long: "Register an endpoint, and keep it alive by beats until the command is interrupted; then it is removed.\n" +
			"With --persistent the registry keeps it, and the command ends.",
		RunE: r.asked(func(cmd *cobra.Command, c *nacos.Client, args []string) (err error) {
			if e.IP, e.Port, err = hostPort(args[1]); err != nil {
				return usage(err)
			}
			if e.Metadata, err = pairs(meta); err != nil {
				return err
			}
			e.Ephemeral = !persistent
			if err := c.Register(cmd.Context(), r.service(args[0]), e); err != nil || persistent {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is registered as %s until this command is interrupted\n", address(e), printable(args[0]))
			return keepAlive(cmd, c, r.service(args[0]), e)
		}),
	}
	f := c.Flags()
	f.StringVar(&e.Cluster, "cluster", "DEFAULT", "cluster of the service")
	f.Float64Var(&e.Weight, "weight", 1, "share of the traffic, 0 to 10000")
	f.StringArrayVar(&meta, "meta", nil, "metadata, key=value; may be given again")
	f.BoolVar(&persistent, "persistent", false, "the registry keeps it")
	return c
}

func hostPort(s string) (string, int, error) {
	host, text, err := net.SplitHostPort(s)
	if err != nil {
		return "", 0, err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("%q is no port", text)
	}
	return host, int(port), nil
}
