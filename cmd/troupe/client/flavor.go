package client

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/flavors"
	"github.com/spf13/cobra"
)

var flavorColumns = []column[flavors.Flavor]{
	{"id", func(f flavors.Flavor) string { return f.ID }},
	{"name", func(f flavors.Flavor) string { return f.Name }},
	{"vcpus", func(f flavors.Flavor) string { return strconv.Itoa(f.VCPUs) }},
	{"ram", func(f flavors.Flavor) string { return strconv.Itoa(f.RAM) + " MiB" }},
	{"disk", func(f flavors.Flavor) string { return strconv.Itoa(f.Disk) + " GiB" }},
	{"public", func(f flavors.Flavor) string { return strconv.FormatBool(f.IsPublic) }},
	{"description", func(f flavors.Flavor) string { return f.Description }},
}

func (a *app) flavorCommand() *cobra.Command {
	return a.group("flavor", "Sizes of servers: list, create, show, delete",
		a.flavorList(), a.flavorCreate(), a.flavorShow(), a.flavorDelete())
}

func allFlavors(ctx context.Context, c *gophercloud.ServiceClient) ([]flavors.Flavor, error) {
	pages, err := flavors.ListDetail(c, flavors.ListOpts{AccessType: flavors.AllAccess}).AllPages(ctx)
	if err != nil {
		return nil, err
	}
	all, err := flavors.ExtractFlavors(pages)
	slices.SortFunc(all, func(x, y flavors.Flavor) int { return cmp.Compare(x.RAM, y.RAM) })
	return all, err
}

func (a *app) flavorList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the flavors", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.compute(cmd.Context(), flavorsVersion)
			if err != nil {
				return err
			}
			all, err := allFlavors(cmd.Context(), c)
			if err != nil {
				return err
			}
			return list(cmd, a, all, flavorColumns)
		},
	}
}

func (a *app) flavorCreate() *cobra.Command {
	var opts flavors.CreateOpts
	var disk, ephemeral, swap int
	var private bool
	c := &cobra.Command{
		Use: "create NAME", Short: "Create a flavor (administrators)", Args: exactly(1),
		Example: "  troupe flavor create tiny --vcpus 1 --ram 128 --disk 1",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.compute(cmd.Context(), flavorsVersion)
			if err != nil {
				return err
			}
			public := !private
			opts.Name, opts.Disk, opts.Ephemeral, opts.Swap, opts.IsPublic = args[0], &disk, &ephemeral, &swap, &public
			f, err := flavors.Create(cmd.Context(), c, opts).Extract()
			if err != nil {
				return err
			}
			return show(cmd, a, *f, flavorColumns)
		},
	}
	c.Flags().StringVar(&opts.ID, "id", "", "id; made by the cloud if not given")
	c.Flags().IntVar(&opts.VCPUs, "vcpus", 1, "virtual CPUs")
	c.Flags().IntVar(&opts.RAM, "ram", 256, "memory in MiB")
	c.Flags().IntVar(&disk, "disk", 0, "root disk in GiB; 0: as large as the image")
	c.Flags().IntVar(&ephemeral, "ephemeral", 0, "second disk in GiB")
	c.Flags().IntVar(&swap, "swap", 0, "swap disk in MiB")
	c.Flags().StringVar(&opts.Description, "description", "", "what it is for")
	c.Flags().BoolVar(&private, "private", false, "seen only by projects that were given access")
	return c
}

func (a *app) flavorShow() *cobra.Command {
	return &cobra.Command{
		Use: "show FLAVOR", Short: "Show a flavor", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.compute(cmd.Context(), flavorsVersion)
			if err != nil {
				return err
			}
			f, err := findFlavor(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			return show(cmd, a, f, flavorColumns)
		},
	}
}

func (a *app) flavorDelete() *cobra.Command {
	return &cobra.Command{
		Use: "delete FLAVOR...", Short: "Delete flavors (administrators); servers keep theirs", Args: atLeastOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.compute(cmd.Context(), flavorsVersion)
			if err != nil {
				return err
			}
			return each(args, func(name string) error {
				f, err := findFlavor(cmd.Context(), c, name)
				if err != nil {
					return err
				}
				return flavors.Delete(cmd.Context(), c, f.ID).ExtractErr()
			})
		},
	}
}
