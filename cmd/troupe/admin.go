package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/troupe-cloud/troupe/gateway/openstack/compute"
	"github.com/troupe-cloud/troupe/gateway/openstack/identity"
)

// adminTimeout is how long a command on a stopped cloud's data may take.
const adminTimeout = 30 * time.Second

func adminCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "admin", Short: "Repairs of a stopped cloud's data", Args: cobra.NoArgs, GroupID: "cloud",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(resetPasswordCommand())
	return c
}

func resetPasswordCommand() *cobra.Command {
	var config cloudConfig
	c := &cobra.Command{
		Use: "reset-password", Short: "Give the administrator a new random password", Args: cobra.NoArgs,
		Long: "Give the administrator of a stopped cloud a new random password, and write openrc, clouds.yaml\n" +
			"and credentials.json anew. Tokens that the administrator had are at an end.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := settle(cmd.Flags(), os.Getenv, nil); err != nil {
				return err
			}
			if _, err := os.Stat(filepath.Join(config.Data, storeFile)); err != nil {
				return badSetting("--data %s: there is no cloud: %w", config.Data, err)
			}
			config.keepAddresses(cmd.Flags())
			return resetPassword(cmd, config)
		},
	}
	c.Flags().StringVar(&config.Data, "data", defaultData, "folder of the cloud")
	config.addressFlags(c.Flags())
	return c
}

func (c *cloudConfig) addressFlags(f *pflag.FlagSet) {
	f.StringVar(&c.Listen, "listen", defaultListen, "address that the files are to name, if it is no longer the one that they do")
	f.StringVar(&c.RegistryListen, "registry-listen", defaultRegistry, "address of the registry, likewise; off: there is none")
}

// keepAddresses puts those that the files name where none was given. Where the files
// are lost, what a cloud listens on by default is as good a guess as any: its next
// start writes what is true.
func (c *cloudConfig) keepAddresses(given *pflag.FlagSet) {
	was, err := identity.ReadCredentials(c.Data)
	if err == nil && !given.Changed("listen") {
		c.Listen = strings.TrimPrefix(was.BaseURL(), httpScheme)
	}
	if err == nil && !given.Changed("registry-listen") {
		c.RegistryListen = strings.TrimPrefix(was.RegistryURL, httpScheme)
	}
	if c.RegistryListen == noRegistry {
		c.RegistryListen = ""
	}
}

// httpScheme is in front of an address in the files.
const httpScheme = "http://"

func resetPassword(cmd *cobra.Command, config cloudConfig) error {
	log, closeLog, err := newLog("", "warn")
	if err != nil {
		return err
	}
	defer closeLog.Close()
	ctx, cancel := context.WithTimeout(cmd.Context(), adminTimeout)
	defer cancel()
	c := &cloud{config: config, log: log, failed: make(chan error, 1)}
	defer func() { _ = c.stop(context.WithoutCancel(ctx)) }()
	if err := c.openData(ctx); err != nil {
		return fmt.Errorf("is the cloud still running? %w", err)
	}
	if err := c.startNode(ctx); err != nil {
		return err
	}
	setup := identity.Setup{Client: c.client, Dir: config.Data, BaseURL: httpScheme + config.Listen, ComputeVersion: compute.MaxVersion.String()}
	if config.RegistryListen != "" {
		setup.RegistryURL = httpScheme + config.RegistryListen
	}
	who, err := identity.ResetAdmin(ctx, setup)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "user %s has a new password: see %s\n", who.UserName, filepath.Join(config.Data, "openrc"))
	return nil
}
