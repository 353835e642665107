package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/troupe-cloud/troupe/cluster/pki"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cmd/troupe/client"
	"github.com/troupe-cloud/troupe/messages"
)

// clusterTimeout is how long a command on a cluster may take.
const clusterTimeout = 30 * time.Second

func clusterCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "cluster", Short: "Make a cluster, admit nodes to it, look after them, issue certificates", Args: cobra.NoArgs, GroupID: "cloud",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(clusterInitCommand(), clusterTokenCommand(), clusterJoinCommand(), clusterCertCommand())
	client.AddCluster(c)
	return c
}

// founded is a command on a cluster that exists, on a machine of which a node
// holds the cluster's key.
type founded struct {
	consul consulFlags
	data   string

	store     store.Store
	authority *pki.Authority
}

func (f *founded) flags(c *cobra.Command) {
	f.consul.flags(c.Flags())
	c.Flags().StringVar(&f.data, "data", defaultData, "folder of a node of this cluster with the role gateway or control")
}

// run opens the store and the authority for do.
func (f *founded) run(cmd *cobra.Command, do func(context.Context) error) error {
	if err := settle(cmd.Flags(), os.Getenv, nil); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), clusterTimeout)
	defer cancel()
	key, err := pki.ReadClusterKey(pki.NodeFiles(f.data))
	if errors.Is(err, messages.NotFound) {
		return fmt.Errorf("--data %s: %w", f.data, err)
	}
	if err != nil {
		return err
	}
	db, err := f.consul.open(ctx, "")
	if err != nil {
		return err
	}
	f.store = db
	if f.authority, err = pki.OpenAuthority(ctx, pki.AuthorityConfig{Store: db, Key: key}); err == nil {
		err = do(ctx)
	}
	return errors.Join(err, db.Close())
}

func clusterInitCommand() *cobra.Command {
	var consul consulFlags
	var data, name string
	var roles []string
	c := &cobra.Command{
		Use: "init", Short: "Make a new cluster in Consul, and this machine its first node", Args: cobra.NoArgs,
		Long: "Make a new cluster in Consul: its id, its certificate authority, the key that seals its secrets, and\n" +
			"the certificate of its first node, in the node's data folder. Broken off, it goes on where it was.\n" +
			"It is refused if that folder of Consul is a cluster's already.",
		Example: "  troupe cluster init --consul 10.0.0.1:8500/prod --data /var/lib/troupe --name n1",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := settle(cmd.Flags(), os.Getenv, nil); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), clusterTimeout)
			defer cancel()
			db, err := consul.open(ctx, "")
			if err != nil {
				return err
			}
			files := pki.NodeFiles(data)
			id, err := pki.Found(ctx, pki.Founding{Store: db, Files: files, Name: name, Roles: roles})
			if err = errors.Join(err, db.Close()); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "cluster %s is made, and this is its node %s; what it is known by is in %s\n"+
				"Keep a copy of %s in a safe place: without it nobody can read the cluster's secrets.\n"+
				"Start the node with: troupe node; admit others with: troupe cluster token create\n",
				id.Cluster, id.Name, data, files.ClusterKey)
			return nil
		},
	}
	consul.flags(c.Flags())
	c.Flags().StringVar(&data, "data", defaultData, "folder of everything the node keeps")
	c.Flags().StringVar(&name, "name", "", "name of the node, unique in the cluster")
	c.Flags().StringSliceVar(&roles, "roles", pki.Roles(), "what the node may do")
	return c
}

func clusterJoinCommand() *cobra.Command {
	var data, name string
	var roles []string
	c := &cobra.Command{
		Use: "join TOKEN", Short: "Make this machine a node of a cluster", Args: cobra.ExactArgs(1),
		Long: "Make this machine a node of the cluster that made TOKEN (troupe cluster token create): what it is to be\n" +
			"known by is written into its data folder. TOKEN may be - to have it read from standard input, where\n" +
			"other users of the machine do not see it.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := settle(cmd.Flags(), os.Getenv, nil); err != nil {
				return err
			}
			token, err := tokenOf(cmd.InOrStdin(), args[0])
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), clusterTimeout)
			defer cancel()
			id, err := pki.Join(ctx, pki.JoinConfig{Token: token, Files: pki.NodeFiles(data), Name: name, Roles: roles})
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "this is node %s of cluster %s; what it is known by is in %s, until %s\n",
				id.Name, id.Cluster, data, id.Until.Local().Format(time.DateTime))
			return nil
		},
	}
	c.Flags().StringVar(&data, "data", defaultData, "folder of everything the node keeps")
	c.Flags().StringVar(&name, "name", "", "name of the node, unique in the cluster")
	c.Flags().StringSliceVar(&roles, "roles", nil, "what the node is to do; by default all that the token allows")
	return c
}

// maxTokenInput is more than any token has.
const maxTokenInput = 4096

func tokenOf(stdin io.Reader, argument string) (string, error) {
	if argument != "-" {
		return argument, nil
	}
	raw, err := io.ReadAll(io.LimitReader(stdin, maxTokenInput))
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	return string(raw), nil
}
