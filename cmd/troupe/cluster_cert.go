package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/troupe-cloud/troupe/cluster/pki"
)

func clusterCertCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "cert", Short: "Certificates for programs that speak to the cluster", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(certClientCommand())
	return c
}

func certClientCommand() *cobra.Command {
	var f founded
	var out, project string
	var reader bool
	var life time.Duration
	c := &cobra.Command{
		Use: "client NAME", Short: "Issue a certificate for a Go service", Args: cobra.ExactArgs(1),
		Long: "Issue a certificate with which another program may speak to the cluster's actors. The folder gets\n" +
			"client.crt, client.key and ca.crt; the program takes a newer certificate there without a restart.\n" +
			"Without --project it is an operator's: it may do all that a message for users can.",
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			if err := pki.CheckName(name); err != nil {
				return err
			}
			if err := pki.CheckProject(project); err != nil {
				return err
			}
			return f.run(cmd, func(ctx context.Context) error {
				dir := first(out, name)
				until, err := f.authority.IssueClient(ctx, pki.Identity{Name: name, Project: project, Reader: reader}, life, pki.ClientFiles(dir))
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "certificate of client %s in %s, until %s\n", name, dir, until.Local().Format(time.DateTime))
				return nil
			})
		},
	}
	f.flags(c)
	c.Flags().StringVar(&out, "out", "", "folder for the files; by default NAME")
	c.Flags().StringVar(&project, "project", "", "id of the project that it is confined to")
	c.Flags().BoolVar(&reader, "read-only", false, "it may look and change nothing")
	c.Flags().DurationVar(&life, "expires", pki.DefaultClientLife, "how long it is valid")
	return c
}
