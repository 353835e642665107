package client

import (
	"context"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/spf13/cobra"
)

// act is a command that does one thing to servers and may wait for a status.
type act struct {
	use, short, example string
	status              string // what --wait waits for; any of several words
	do                  func(ctx context.Context, c *gophercloud.ServiceClient, id string) error
}

func (a *app) acting(what act) *cobra.Command {
	var wait bool
	var timeout time.Duration
	c := &cobra.Command{
		Use: what.use, Short: what.short, Example: what.example, Args: atLeastOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.compute(cmd.Context(), serversVersion)
			if err != nil {
				return err
			}
			var ids []string
			err = each(args, func(name string) error {
				s, err := findServer(cmd.Context(), c, name)
				if err != nil {
					return err
				}
				ids = append(ids, s.ID)
				return what.do(cmd.Context(), c, s.ID)
			})
			if err != nil || !wait {
				return err
			}
			return each(ids, func(id string) error {
				if what.status == "" {
					return waitGone(cmd, c, id, timeout)
				}
				_, err := waitFor(cmd, c, id, timeout, what.status)
				return err
			})
		},
	}
	c.Flags().BoolVar(&wait, "wait", false, "wait until it is done, and show progress")
	c.Flags().DurationVar(&timeout, "timeout", defaultTimeout, "how long --wait waits")
	return c
}

func (a *app) serverStop() *cobra.Command {
	return a.acting(act{
		use: "stop SERVER...", short: "Power servers off, the guest being asked first", status: "SHUTOFF",
		do: func(ctx context.Context, c *gophercloud.ServiceClient, id string) error {
			return servers.Stop(ctx, c, id).ExtractErr()
		},
	})
}

func (a *app) serverStart() *cobra.Command {
	return a.acting(act{
		use: "start SERVER...", short: "Power servers on", status: "ACTIVE",
		do: func(ctx context.Context, c *gophercloud.ServiceClient, id string) error {
			return servers.Start(ctx, c, id).ExtractErr()
		},
	})
}

func (a *app) serverReboot() *cobra.Command {
	var hard bool
	c := a.acting(act{
		use: "reboot SERVER...", short: "Restart servers, the guest being asked first", status: "ACTIVE",
		example: "  troupe server reboot web --wait\n  troupe server reboot web --hard",
		do: func(ctx context.Context, c *gophercloud.ServiceClient, id string) error {
			how := servers.SoftReboot
			if hard {
				how = servers.HardReboot
			}
			return servers.Reboot(ctx, c, id, servers.RebootOpts{Type: how}).ExtractErr()
		},
	})
	c.Flags().BoolVar(&hard, "hard", false, "by power off and on, without asking the guest")
	return c
}

func (a *app) serverDelete() *cobra.Command {
	return a.acting(act{
		use: "delete SERVER...", short: "Delete servers with their disks",
		do: func(ctx context.Context, c *gophercloud.ServiceClient, id string) error {
			return servers.Delete(ctx, c, id).ExtractErr()
		},
	})
}

// evacuateVersion is the newest in which a server that ran runs afterwards.
const evacuateVersion = "2.94"

func (a *app) serverEvacuate() *cobra.Command {
	var host string
	c := a.acting(act{
		use: "evacuate SERVER...", short: "Build servers on another host, theirs being down (administrators)", status: "ACTIVE SHUTOFF",
		example: "  troupe server evacuate web --wait\n  troupe server evacuate web --host n2-sim-4",
		do: func(ctx context.Context, _ *gophercloud.ServiceClient, id string) error {
			c, err := a.compute(ctx, evacuateVersion)
			if err != nil {
				return err
			}
			what := map[string]any{}
			if host != "" {
				what["host"] = host
			}
			// Where the disk is, the cloud knows; the library would still have to say.
			_, err = c.Post(ctx, c.ServiceURL("servers", id, "action"), map[string]any{"evacuate": what}, nil,
				&gophercloud.RequestOpts{OkCodes: []int{200}})
			return err
		},
	})
	c.Flags().StringVar(&host, "host", "", "the host to build them on, by default any with room")
	return c
}
