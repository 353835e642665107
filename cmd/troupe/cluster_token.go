package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/troupe-cloud/troupe/cluster/pki"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

func clusterTokenCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "token", Short: "Tokens that admit new nodes", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(tokenCreateCommand(), tokenListCommand(), tokenRevokeCommand())
	return c
}

func tokenCreateCommand() *cobra.Command {
	var f founded
	var spec pki.TokenSpec
	c := &cobra.Command{
		Use: "create", Short: "Make a token; it is shown once", Args: cobra.NoArgs,
		Long: "Make a token that admits new nodes (troupe cluster join TOKEN, or troupe node --join TOKEN). It is\n" +
			"printed on standard output and cannot be shown again: the cluster keeps a hash of it.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd, func(ctx context.Context) error {
				if len(spec.Addresses) == 0 {
					members, err := f.consul.members(ctx)
					if err != nil {
						return fmt.Errorf("look for nodes that can admit others: %w", err)
					}
					if spec.Addresses = admitting(members); len(spec.Addresses) == 0 {
						return badSetting("no node is running that could admit others; start one, or say where one will be: --address HOST:PORT")
					}
				}
				token, err := f.authority.CreateToken(ctx, spec)
				if err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), token.Text())
				fmt.Fprintf(cmd.ErrOrStderr(), "admits %d node(s) as %s within %v\n", max(spec.Uses, 1), strings.Join(spec.Roles, ","), spec.Life)
				return nil
			})
		},
	}
	f.flags(c)
	c.Flags().DurationVar(&spec.Life, "expires", pki.DefaultTokenLife, "how long it is good for")
	c.Flags().IntVar(&spec.Uses, "uses", 1, "how many nodes it admits")
	c.Flags().StringSliceVar(&spec.Roles, "roles", pki.Roles(), "what those nodes may do")
	c.Flags().StringSliceVar(&spec.Addresses, "address", nil, "HOST:PORT (the --bind) of a node that admits; by default the nodes that run")
	return c
}

// maxAdmitting is how many addresses a token carries: any one of them will do.
const maxAdmitting = 3

// admitting are the addresses of members that hold the cluster's key.
func admitting(members []view.Member) []string {
	var all []string
	for _, m := range members {
		host, _, err := net.SplitHostPort(m.Address)
		if err != nil || host == "" || m.Leaving || m.Roles&(view.Gateway|view.Control) == 0 || len(all) == maxAdmitting {
			continue
		}
		all = append(all, m.Address)
	}
	return all
}

func tokenListCommand() *cobra.Command {
	var f founded
	c := &cobra.Command{
		Use: "list", Short: "Show the tokens, but not their secrets", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.run(cmd, func(ctx context.Context) error {
				tokens, err := f.authority.Tokens(ctx)
				if err != nil {
					return err
				}
				return showTokens(cmd.OutOrStdout(), tokens, time.Now())
			})
		},
	}
	f.flags(c)
	return c
}

// showTokens prints a line a token. Names in it were checked when they came.
func showTokens(out io.Writer, tokens []*messages.JoinToken, now time.Time) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tROLES\tUSED\tSTATUS\tEXPIRES\tNODES")
	for _, one := range tokens {
		end := time.UnixMilli(one.ExpiresUnixMs)
		status := "good"
		switch {
		case !now.Before(end):
			status = "expired"
		case len(one.Admitted) >= int(one.Uses):
			status = "used up"
		}
		names := []string{}
		for _, node := range one.Admitted {
			names = append(names, node.Name)
		}
		fmt.Fprintf(t, "%s\t%s\t%d/%d\t%s\t%s\t%s\n", one.Id, strings.Join(one.Roles, ","), len(one.Admitted), one.Uses,
			status, end.Local().Format(time.DateTime), strings.Join(names, ","))
	}
	return t.Flush()
}

func tokenRevokeCommand() *cobra.Command {
	var f founded
	c := &cobra.Command{
		Use: "revoke ID", Short: "End a token; nodes that it has admitted stay", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, func(ctx context.Context) error { return f.authority.RevokeToken(ctx, args[0]) })
		},
	}
	f.flags(c)
	return c
}
