package client

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// waiting is whether and how long a command waits.
type waiting struct {
	wait    bool
	timeout time.Duration
}

func (w *waiting) flags(f *pflag.FlagSet, until string) {
	f.BoolVar(&w.wait, "wait", false, "wait until "+until)
	f.DurationVar(&w.timeout, "timeout", defaultTimeout, "how long --wait waits")
}

// templateFlags are what the servers of a group are made of.
type templateFlags struct {
	image, flavor, key, userData, zone, description string
	networks, properties, tags                      []string
	configDrive                                     bool
}

func (t *templateFlags) flags(f *pflag.FlagSet) {
	f.StringVar(&t.image, "image", "", "image to boot (name or id)")
	f.StringVar(&t.flavor, "flavor", "", "size (name or id)")
	f.StringVar(&t.key, "key-name", "", "keypair whose public key the servers are given")
	f.StringSliceVar(&t.networks, "network", nil, "network to be on (name or id), or none; may be given again")
	f.StringVar(&t.userData, "user-data", "", "file that a server runs or reads at its first boot")
	f.StringArrayVar(&t.properties, "property", nil, "key=value kept with each server, such as troupe:service=web:80; may be given again")
	f.StringSliceVar(&t.tags, "tag", nil, "a tag; may be given again")
	f.StringVar(&t.zone, "availability-zone", "", "zone")
	f.StringVar(&t.description, "description", "", "what they are for")
	f.BoolVar(&t.configDrive, "config-drive", false, "attach a drive with the metadata and user data")
}

// templateOf has what was said, with names looked up.
func (a *app) templateOf(ctx context.Context, f *pflag.FlagSet, t *templateFlags) (map[string]any, error) {
	body := map[string]any{}
	for name, v := range map[string]any{
		"key_name": t.key, "tags": t.tags, "availability_zone": t.zone, "description": t.description, "config_drive": t.configDrive,
	} {
		if flag := map[string]string{"key_name": "key-name", "tags": "tag", "availability_zone": "availability-zone", "config_drive": "config-drive"}[name]; f.Changed(first(flag, name)) {
			body[name] = v
		}
	}
	if len(t.properties) > 0 {
		metadata, err := pairs(t.properties)
		if err != nil {
			return nil, err
		}
		body["metadata"] = metadata
	}
	if t.userData != "" {
		raw, err := os.ReadFile(t.userData)
		if err != nil {
			return nil, usage(err)
		}
		body["user_data"] = raw // rendered in base 64
	}
	return body, a.referencesOf(ctx, t, body)
}

// referencesOf puts into body the ids of what the flags name.
func (a *app) referencesOf(ctx context.Context, t *templateFlags, body map[string]any) error {
	if t.image != "" {
		glance, err := a.images(ctx)
		if err != nil {
			return err
		}
		image, err := findImage(ctx, glance, t.image)
		if err != nil {
			return err
		}
		body["image"] = image.ID
	}
	if t.flavor != "" {
		c, err := a.compute(ctx, flavorsVersion)
		if err != nil {
			return err
		}
		flavor, err := findFlavor(ctx, c, t.flavor)
		if err != nil {
			return err
		}
		body["flavor"] = flavor.ID
	}
	if len(t.networks) == 0 {
		return nil
	}
	ids := []string{}
	if len(t.networks) > 1 || t.networks[0] != "none" {
		neutron, err := a.networks(ctx)
		if err != nil {
			return err
		}
		for _, name := range t.networks {
			n, err := findNetwork(ctx, neutron, name)
			if err != nil {
				return err
			}
			ids = append(ids, n.ID)
		}
	}
	body["networks"] = ids
	return nil
}

// policyFlags are what a group may do by itself.
type policyFlags struct {
	minHealthy, maxUnavailable, maxSurge int
	hostGrace, unhealthy, start          time.Duration
	rollOnConfig                         bool
}

func (p *policyFlags) flags(f *pflag.FlagSet) {
	f.IntVar(&p.minHealthy, "min-healthy", 0, "servers in use that the group never goes below by itself")
	f.IntVar(&p.maxUnavailable, "max-unavailable", 0, "servers that may be missing during a roll")
	f.IntVar(&p.maxSurge, "max-surge", 0, "servers more than desired during a roll (1 if both are 0)")
	f.DurationVar(&p.hostGrace, "host-grace", 0, "a server is replaced when its host is down for longer (1m)")
	f.DurationVar(&p.unhealthy, "unhealthy-after", 0, "... when it is stopped, or its service finds it unhealthy, for longer (1m)")
	f.DurationVar(&p.start, "start-within", 0, "... when it has not come into use in that time (10m)")
	f.BoolVar(&p.rollOnConfig, "roll-on-config", false, "a new content of a config that the servers read (--property troupe:config=...) begins a roll")
}

// put adds to body what was said.
func (p *policyFlags) put(f *pflag.FlagSet, body map[string]any) {
	for flag, v := range map[string]struct {
		name  string
		value any
	}{
		"min-healthy": {"min_healthy", p.minHealthy}, "max-unavailable": {"max_unavailable", p.maxUnavailable}, "max-surge": {"max_surge", p.maxSurge},
		"host-grace": {"host_grace", int64(p.hostGrace.Seconds())}, "unhealthy-after": {"unhealthy_after", int64(p.unhealthy.Seconds())},
		"start-within": {"start_within", int64(p.start.Seconds())}, "roll-on-config": {"roll_on_config", p.rollOnConfig},
	} {
		if f.Changed(flag) {
			body[v.name] = v.value
		}
	}
}

func (a *app) groupCreate() *cobra.Command {
	var t templateFlags
	var p policyFlags
	var w waiting
	var size int
	c := &cobra.Command{
		Use: "create NAME --size N --image IMAGE --flavor FLAVOR", Short: "Create a group that keeps N servers", Args: exactly(1),
		Long: "Create a scaling group: it keeps N servers called NAME-1, NAME-2, ..., replaces those that fail or whose\n" +
			"host is down, and rolls them over to another image or another configuration on demand.",
		Example: "  troupe group create web --size 3 --image web-1 --flavor small --property troupe:service=web:80 --min-healthy 2 --wait",
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := a.templateOf(cmd.Context(), cmd.Flags(), &t)
			if err != nil {
				return err
			}
			body["name"], body["desired"] = args[0], size
			p.put(cmd.Flags(), body)
			g, err := a.askGroup(cmd.Context(), http.MethodPost, map[string]any{"group": body}, http.StatusCreated)
			if err != nil {
				return err
			}
			return a.restGroup(cmd, g, w)
		},
	}
	f := c.Flags()
	f.IntVar(&size, "size", 0, "how many servers")
	t.flags(f)
	p.flags(f)
	w.flags(f, "all are in use")
	for _, required := range []string{"size", "image", "flavor"} {
		if err := c.MarkFlagRequired(required); err != nil {
			panic(err)
		}
	}
	return c
}

func (a *app) groupScale() *cobra.Command {
	var p policyFlags
	var w waiting
	c := &cobra.Command{
		Use: "scale GROUP N", Short: "Change how many servers a group keeps", Args: exactly(2),
		Long:    "Change how many servers a group keeps, and with flags also what it may do by itself.",
		Example: "  troupe group scale web 5 --wait",
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := strconv.Atoi(args[1])
			if err != nil {
				return usage(errors.New("the second argument is how many servers there are to be"))
			}
			body := map[string]any{"desired": n}
			p.put(cmd.Flags(), body)
			return a.changeGroup(cmd, args[0], w, http.MethodPatch, map[string]any{"group": body}, http.StatusOK)
		},
	}
	p.flags(c.Flags())
	w.flags(c.Flags(), "there are as many in use")
	return c
}

func (a *app) groupRoll() *cobra.Command {
	var t templateFlags
	var w waiting
	var restart bool
	c := &cobra.Command{
		Use: "roll GROUP [--image IMAGE ...]", Short: "Replace a group's servers by others, a few at a time", Args: exactly(1),
		Long: "Change what the servers of a group are made of, and replace them a few at a time, never with fewer in use\n" +
			"than the group is to have. If a new one does not come into use, the roll stops and says why; see rollback.\n" +
			"The same command again goes on with a roll that has stopped.",
		Example: "  troupe group roll web --image web-2 --wait\n  troupe group roll web --restart",
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := a.templateOf(cmd.Context(), cmd.Flags(), &t)
			if err != nil {
				return err
			}
			return a.changeGroup(cmd, args[0], w, http.MethodPost, map[string]any{"template": body, "restart": restart}, http.StatusAccepted, "roll")
		},
	}
	t.flags(c.Flags())
	c.Flags().BoolVar(&restart, "restart", false, "also if nothing differs")
	w.flags(c.Flags(), "all are replaced")
	return c
}

func (a *app) groupRollback() *cobra.Command {
	var w waiting
	c := &cobra.Command{
		Use: "rollback GROUP", Short: "Go back to what all servers were last in use with", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.changeGroup(cmd, args[0], w, http.MethodPost, nil, http.StatusAccepted, "rollback")
		},
	}
	w.flags(c.Flags(), "all are replaced")
	return c
}

func (a *app) changeGroup(cmd *cobra.Command, name string, w waiting, method string, body any, want int, below ...string) error {
	g, err := a.findGroup(cmd.Context(), name)
	if err != nil {
		return err
	}
	if g, err = a.askGroup(cmd.Context(), method, body, want, append([]string{g.ID}, below...)...); err != nil {
		return err
	}
	return a.restGroup(cmd, g, w)
}

func (a *app) groupDelete() *cobra.Command {
	var w waiting
	c := &cobra.Command{
		Use: "delete GROUP...", Short: "Delete groups with all their servers", Args: atLeastOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			return each(args, func(name string) error { return a.deleteGroup(cmd.Context(), name, w) })
		},
	}
	w.flags(c.Flags(), "they are gone")
	return c
}

func (a *app) deleteGroup(ctx context.Context, name string, w waiting) error {
	g, err := a.findGroup(ctx, name)
	if err != nil {
		return err
	}
	if _, err := a.askGroup(ctx, http.MethodDelete, nil, http.StatusAccepted, g.ID); err != nil || !w.wait {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	return poll(ctx, func() (bool, error) {
		_, err := a.askGroup(ctx, http.MethodGet, nil, http.StatusOK, g.ID)
		switch {
		case missing(err):
			return true, nil
		case err != nil && ctx.Err() != nil:
			return false, nil
		}
		return err != nil, err
	})
}
