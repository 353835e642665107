package client

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/hypervisors"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/services"
	"github.com/spf13/cobra"
)

// hostRow is a hypervisor as it is shown.
type hostRow struct {
	Name           string `json:"name"`
	Hypervisor     string `json:"hypervisor"`
	ID             string `json:"id"`
	Type           string `json:"type"`
	State          string `json:"state"`
	Status         string `json:"status"`
	DisabledReason string `json:"disabled_reason"`
	VCPUs          int    `json:"vcpus"`
	VCPUsUsed      int    `json:"vcpus_used"`
	RAMMiB         int    `json:"ram_mib"`
	RAMMiBUsed     int    `json:"ram_mib_used"`
	DiskGiB        int    `json:"disk_gib"`
	DiskGiBUsed    int    `json:"disk_gib_used"`
	Servers        int    `json:"servers"`
	Address        string `json:"address"`
}

func newHostRow(h hypervisors.Hypervisor) hostRow {
	return hostRow{
		Name: h.Service.Host, Hypervisor: h.HypervisorHostname, ID: h.ID, Type: h.HypervisorType, State: h.State,
		Status: h.Status, DisabledReason: h.Service.DisabledReason, VCPUs: h.VCPUs, VCPUsUsed: h.VCPUsUsed,
		RAMMiB: h.MemoryMB, RAMMiBUsed: h.MemoryMBUsed, DiskGiB: h.LocalGB, DiskGiBUsed: h.LocalGBUsed,
		Servers: h.RunningVMs, Address: h.HostIP,
	}
}

var hostColumns = []column[hostRow]{
	{"name", func(h hostRow) string { return h.Name }},
	{"type", func(h hostRow) string { return h.Type }},
	{"state", func(h hostRow) string { return h.State }},
	{"status", func(h hostRow) string { return h.Status }},
	{"vcpus", func(h hostRow) string { return fmt.Sprintf("%d of %d", h.VCPUsUsed, h.VCPUs) }},
	{"ram", func(h hostRow) string { return fmt.Sprintf("%d of %d MiB", h.RAMMiBUsed, h.RAMMiB) }},
	{"disk", func(h hostRow) string { return fmt.Sprintf("%d of %d GiB", h.DiskGiBUsed, h.DiskGiB) }},
	{"servers", func(h hostRow) string { return strconv.Itoa(h.Servers) }},
	{"address", func(h hostRow) string { return h.Address }},
}

var hostDetails = append(slices.Clone(hostColumns),
	column[hostRow]{"hypervisor", func(h hostRow) string { return h.Hypervisor }},
	column[hostRow]{"id", func(h hostRow) string { return h.ID }},
	column[hostRow]{"disabled because", func(h hostRow) string { return h.DisabledReason }},
)

func (a *app) hostCommand() *cobra.Command {
	return a.group("host", "Hypervisors (administrators): list, show, enable, disable, force-down, forget",
		a.hostList(), a.hostShow(), a.hostEnable(), a.hostDisable(), a.hostForceDown(), a.hostForget())
}

func (a *app) allHosts(ctx context.Context) ([]hostRow, error) {
	c, err := a.compute(ctx, hostsVersion)
	if err != nil {
		return nil, err
	}
	pages, err := hypervisors.List(c, hypervisors.ListOpts{}).AllPages(ctx)
	if err != nil {
		return nil, err
	}
	all, err := hypervisors.ExtractHypervisors(pages)
	return mapped(all, newHostRow), err
}

func (a *app) hostList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the hosts and what is free on them", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			all, err := a.allHosts(cmd.Context())
			if err != nil {
				return err
			}
			return list(cmd, a, all, hostColumns)
		},
	}
}

func (a *app) hostShow() *cobra.Command {
	return &cobra.Command{
		Use: "show HOST", Short: "Show a host", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := a.allHosts(cmd.Context())
			if err != nil {
				return err
			}
			h, err := only("host", args[0], named(all, args[0]), func(h hostRow) string { return h.ID })
			if err != nil {
				return err
			}
			return show(cmd, a, h, hostDetails)
		},
	}
}

// named keeps the hosts that name means: by host, hypervisor or id.
func named(all []hostRow, name string) []hostRow {
	var found []hostRow
	for _, h := range all {
		if h.Name == name || h.Hypervisor == name || h.ID == name {
			found = append(found, h)
		}
	}
	return found
}

func (a *app) hostEnable() *cobra.Command {
	return &cobra.Command{
		Use: "enable HOST...", Short: "Let hosts take new servers", Args: atLeastOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			return each(args, func(name string) error {
				return a.setService(cmd.Context(), name, services.UpdateOpts{Status: services.ServiceEnabled})
			})
		},
	}
}

func (a *app) hostDisable() *cobra.Command {
	var reason string
	c := &cobra.Command{
		Use: "disable HOST...", Short: "Let hosts take no new servers; those there stay", Args: atLeastOne,
		Example: "  troupe host disable sim-3 --reason 'new memory'",
		RunE: func(cmd *cobra.Command, args []string) error {
			return each(args, func(name string) error {
				return a.setService(cmd.Context(), name,
					services.UpdateOpts{Status: services.ServiceDisabled, DisabledReason: reason})
			})
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why")
	return c
}

func (a *app) hostForceDown() *cobra.Command {
	var undo bool
	c := &cobra.Command{
		Use: "force-down HOST...", Short: "Say that hosts are off, so that their servers may be evacuated", Args: atLeastOne,
		Long: "Say that hosts are off, whatever is heard of them, so that they get no servers and theirs may be\n" +
			"evacuated. Be sure of it: of a machine that cannot be reached nobody knows whether its servers run.",
		Example: "  troupe host force-down n3-sim-1\n  troupe host force-down n3-sim-1 --undo",
		RunE: func(cmd *cobra.Command, args []string) error {
			return each(args, func(name string) error {
				return a.setService(cmd.Context(), name, forcedDown(!undo))
			})
		},
	}
	c.Flags().BoolVar(&undo, "undo", false, "believe again what is heard of them")
	return c
}

// forcedDown is what the library leaves out where it is false.
type forcedDown bool

// ToServiceUpdateMap is the library's.
func (f forcedDown) ToServiceUpdateMap() (map[string]any, error) {
	return map[string]any{"forced_down": bool(f)}, nil
}

func (a *app) hostForget() *cobra.Command {
	return &cobra.Command{
		Use: "forget HOST...", Short: "Forget hosts that are gone and have no servers", Args: atLeastOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			return each(args, func(name string) error {
				c, s, err := a.serviceOf(cmd.Context(), name)
				if err != nil {
					return err
				}
				return services.Delete(cmd.Context(), c, s.ID).ExtractErr()
			})
		},
	}
}

// serviceOf is the compute service of the host called name.
func (a *app) serviceOf(ctx context.Context, name string) (*gophercloud.ServiceClient, services.Service, error) {
	c, err := a.compute(ctx, hostsVersion)
	if err != nil {
		return nil, services.Service{}, err
	}
	pages, err := services.List(c, services.ListOpts{Binary: "nova-compute", Host: name}).AllPages(ctx)
	if err != nil {
		return nil, services.Service{}, err
	}
	all, err := services.ExtractServices(pages)
	if err != nil {
		return nil, services.Service{}, err
	}
	s, err := only("host", name, all, func(s services.Service) string { return s.ID })
	return c, s, err
}

// setService changes the compute service of the host called name.
func (a *app) setService(ctx context.Context, name string, opts services.UpdateOptsBuilder) error {
	c, s, err := a.serviceOf(ctx, name)
	if err == nil {
		_, err = services.Update(ctx, c, s.ID, opts).Extract()
	}
	return err
}
