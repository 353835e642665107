package client

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/keypairs"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/spf13/cobra"
)

// defaultTimeout is how long --wait waits.
const defaultTimeout = 10 * time.Minute

// createFlags is what `server create` was told.
type createFlags struct {
	image, flavor, key, userData, zone, description string
	networks, properties, tags                      []string
	configDrive, wait                               bool
	timeout                                         time.Duration
}

// createOpts adds to gophercloud's options what those have no field for.
type createOpts struct {
	servers.CreateOptsBuilder
	description string
}

// ToServerCreateMap renders the request's body.
func (o createOpts) ToServerCreateMap() (map[string]any, error) {
	body, err := o.CreateOptsBuilder.ToServerCreateMap()
	if server, ok := body["server"].(map[string]any); ok && o.description != "" {
		server["description"] = o.description
	}
	return body, err
}

func (a *app) serverCreate() *cobra.Command {
	var f createFlags
	c := &cobra.Command{
		Use: "create NAME --image IMAGE --flavor FLAVOR", Short: "Create a server", Args: exactly(1),
		Long: "Create a server: a virtual machine of a flavor (its size) that boots from an image.\n" +
			"Images, flavors and networks are given by name or id. Without --network the server gets a\n" +
			"port on the one network there is. The command returns once the cloud has accepted the\n" +
			"server; with --wait, once it runs (exit code 0) or has failed (exit code 7).",
		Example: "  troupe server create web --image debian --flavor small --key-name laptop --wait\n" +
			"  troupe server create db --image debian --flavor large --user-data init.sh --property tier=db\n" +
			"  troupe server create lab --image debian --flavor tiny --network none --config-drive\n\n" +
			"Look at what there is with: troupe image list, troupe flavor list, troupe keypair list.",
		RunE: func(cmd *cobra.Command, args []string) error { return a.create(cmd, args[0], f) },
	}
	s := c.Flags()
	s.StringVar(&f.image, "image", "", "image to boot (name or id)")
	s.StringVar(&f.flavor, "flavor", "", "size (name or id)")
	s.StringVar(&f.key, "key-name", "", "keypair whose public key the server is given")
	s.StringSliceVar(&f.networks, "network", nil, "network to be on (name or id), or none; may be given again")
	s.StringVar(&f.userData, "user-data", "", "file that the server runs or reads at its first boot")
	s.StringArrayVar(&f.properties, "property", nil, "key=value kept with the server; may be given again")
	s.StringSliceVar(&f.tags, "tag", nil, "a tag; may be given again")
	s.StringVar(&f.zone, "availability-zone", "", "zone, or ZONE:HOST to choose the host (administrators)")
	s.StringVar(&f.description, "description", "", "what it is for")
	s.BoolVar(&f.configDrive, "config-drive", false, "attach a drive with the metadata and user data")
	s.BoolVar(&f.wait, "wait", false, "wait until it runs, and show progress")
	s.DurationVar(&f.timeout, "timeout", defaultTimeout, "how long --wait waits")
	for _, required := range []string{"image", "flavor"} {
		if err := c.MarkFlagRequired(required); err != nil {
			panic(err)
		}
	}
	return c
}

func (a *app) create(cmd *cobra.Command, name string, f createFlags) error {
	ctx := cmd.Context()
	c, err := a.compute(ctx, serversVersion)
	if err != nil {
		return err
	}
	opts, err := a.createOptions(ctx, c, name, f)
	if err != nil {
		return err
	}
	created, err := servers.Create(ctx, c, opts, nil).Extract()
	if err != nil {
		return err
	}
	password := created.AdminPass
	final := created
	if f.wait {
		if final, err = waitFor(cmd, c, created.ID, f.timeout, "ACTIVE"); err != nil {
			return err
		}
	} else if final, err = servers.Get(ctx, c, created.ID).Extract(); err != nil {
		return err
	}
	row := newServerRow(*final)
	row.AdminPassword = password
	return show(cmd, a, row, append(serverDetails[:len(serverDetails):len(serverDetails)],
		column[serverRow]{"admin password", func(s serverRow) string { return first(s.AdminPassword, "-") }}))
}

// createOptions turns the flags into a request, with names looked up.
func (a *app) createOptions(ctx context.Context, c *gophercloud.ServiceClient, name string, f createFlags) (servers.CreateOptsBuilder, error) {
	opts := servers.CreateOpts{Name: name, AvailabilityZone: f.zone, Tags: f.tags}
	var err error
	if opts.Metadata, err = pairs(f.properties); err != nil {
		return nil, err
	}
	if f.userData != "" {
		if opts.UserData, err = os.ReadFile(f.userData); err != nil {
			return nil, usage(err)
		}
	}
	if f.configDrive {
		opts.ConfigDrive = &f.configDrive
	}
	glance, err := a.images(ctx)
	if err != nil {
		return nil, err
	}
	image, err := findImage(ctx, glance, f.image)
	if err != nil {
		return nil, err
	}
	flavor, err := findFlavor(ctx, c, f.flavor)
	if err != nil {
		return nil, err
	}
	opts.ImageRef, opts.FlavorRef = image.ID, flavor.ID
	if opts.Networks, err = a.networkOptions(ctx, f.networks); err != nil {
		return nil, err
	}
	var builder servers.CreateOptsBuilder = opts
	if f.key != "" {
		builder = keypairs.CreateOptsExt{CreateOptsBuilder: opts, KeyName: f.key}
	}
	return createOpts{builder, f.description}, nil
}

func (a *app) networkOptions(ctx context.Context, names []string) (any, error) {
	if len(names) == 0 {
		return "auto", nil
	}
	if len(names) == 1 && (names[0] == "none" || names[0] == "auto") {
		return names[0], nil
	}
	neutron, err := a.networks(ctx)
	if err != nil {
		return nil, err
	}
	var all []servers.Network
	for _, name := range names {
		n, err := findNetwork(ctx, neutron, name)
		if err != nil {
			return nil, err
		}
		all = append(all, servers.Network{UUID: n.ID})
	}
	return all, nil
}

// waitFor looks at the server until it has the status and no task, or failed.
func waitFor(cmd *cobra.Command, c *gophercloud.ServiceClient, id string, timeout time.Duration, status string) (*servers.Server, error) {
	ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
	defer cancel()
	p := newProgress(cmd)
	defer p.end()
	var s *servers.Server
	err := poll(ctx, func() (bool, error) {
		var err error
		if s, err = servers.Get(ctx, c, id).Extract(); err != nil {
			if ctx.Err() != nil {
				return false, nil // poll says why it ends
			}
			return true, err
		}
		p.say("%s: %s, %s (%v)", s.Name, s.Status, first(s.TaskState, "no task"), time.Since(p.began).Round(time.Second))
		if s.TaskState != "" {
			return false, nil
		}
		if s.Status == "ERROR" && status != "ERROR" {
			return true, unsettled(fmt.Errorf("server %s went to ERROR: %s", s.ID, first(s.Fault.Message, "no reason given")))
		}
		return slices.Contains(strings.Fields(status), s.Status), nil
	})
	return s, err
}

// waitGone looks at the server until it is not found.
func waitGone(cmd *cobra.Command, c *gophercloud.ServiceClient, id string, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
	defer cancel()
	p := newProgress(cmd)
	defer p.end()
	return poll(ctx, func() (bool, error) {
		s, err := servers.Get(ctx, c, id).Extract()
		switch {
		case missing(err):
			return true, nil
		case err != nil && ctx.Err() != nil:
			return false, nil
		case err != nil:
			return true, err
		case s.Status == "ERROR" && s.TaskState == "":
			return true, unsettled(errors.New(first(s.Fault.Message, "the server went to ERROR")))
		}
		p.say("%s: %s, %s (%v)", s.Name, s.Status, first(s.TaskState, "no task"), time.Since(p.began).Round(time.Second))
		return false, nil
	})
}
