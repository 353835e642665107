package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

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
			return resetPassword(cmd, config)
		},
	}
	c.Flags().StringVar(&config.Data, "data", defaultData, "folder of the cloud")
	c.Flags().StringVar(&config.Listen, "listen", defaultListen, "address that the files are to name")
	return c
}

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
	who, err := identity.ResetAdmin(ctx, identity.Setup{
		Client: c.client, Dir: config.Data, BaseURL: "http://" + config.Listen, ComputeVersion: compute.MaxVersion.String(),
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "user %s has a new password: see %s\n", who.UserName, filepath.Join(config.Data, "openrc"))
	return nil
}
