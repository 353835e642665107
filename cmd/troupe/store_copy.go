package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/cluster/store/bolt"
	"github.com/troupe-cloud/troupe/cluster/store/consul"
	"github.com/troupe-cloud/troupe/cluster/store/copy"
	"github.com/troupe-cloud/troupe/messages"
)

// place is where a store is: bbolt:DIR or consul:HOST:PORT[,HOST:PORT][/PREFIX].
type place struct {
	dir    string // bbolt
	consul consul.Config
}

// String names the place to people.
func (p place) String() string {
	if p.dir != "" {
		return "bbolt:" + p.dir
	}
	return "consul:" + p.consul.Address + "/" + p.consul.Prefix
}

// parsePlace reads what a person typed.
func parsePlace(flag, text string) (place, error) {
	kind, rest, _ := strings.Cut(text, ":")
	switch {
	case kind == "bbolt" && rest != "":
		dir, err := filepath.Abs(rest)
		return place{dir: dir}, err
	case kind == "consul" && rest != "":
		address, prefix, found := strings.Cut(rest, "/")
		if found && strings.Trim(prefix, "/") == "" {
			return place{}, badSetting("--%s %s: the prefix after the slash is missing", flag, text)
		}
		return place{consul: consul.Config{Address: address, Prefix: prefix}}, nil
	}
	return place{}, badSetting("--%s %q: bbolt:DIR or consul:HOST:PORT[/PREFIX] is expected", flag, text)
}

// open opens the store at p; a source must exist.
func (p place) open(ctx context.Context, source bool) (store.Store, error) {
	if p.dir == "" {
		p.consul.MustExist = source
		return consul.Open(ctx, p.consul)
	}
	path := filepath.Join(p.dir, storeFile)
	if _, err := os.Stat(path); source && errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no cloud in %s: %w", p.dir, messages.NotFound)
	}
	if err := os.MkdirAll(p.dir, 0o711); err != nil {
		return nil, err
	}
	return bolt.Open(path, bolt.Options{})
}

func storeCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "store", Short: "Move a stopped cloud's state", Args: cobra.NoArgs, GroupID: "cloud",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(storeCopyCommand())
	return c
}

func storeCopyCommand() *cobra.Command {
	var from, to string
	var access consul.Config
	c := &cobra.Command{
		Use: "copy --from PLACE --to PLACE", Short: "Copy all state to another store and verify it", Args: cobra.NoArgs,
		Long: "Copy everything in one store to another: bbolt:DIR (the folder of a cloud on one machine) or\n" +
			"consul:HOST:PORT[,HOST:PORT][/PREFIX] (a cluster's). The cloud must be stopped. The destination must\n" +
			"be empty; one that an interrupted copy of the same source has filled in part is completed. Afterwards\n" +
			"both are read to their ends and compared. Contents of images and the keys in DIR are not in the store:\n" +
			"copy DIR/images and the secrets beside it to every node yourself.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := settle(cmd.Flags(), os.Getenv, nil); err != nil {
				return err
			}
			return storeCopy(cmd, from, to, access)
		},
	}
	f := c.Flags()
	f.StringVar(&from, "from", "", "source: bbolt:DIR or consul:HOST:PORT[/PREFIX]")
	f.StringVar(&to, "to", "", "destination, likewise")
	f.StringVar(&access.Cluster, "cluster", "", "name of the cluster in Consul")
	f.StringVar(&access.Token, "consul-token", "", "token of Consul's access control; rather set TROUPE_CONSUL_TOKEN")
	f.StringVar(&access.TLS.CA, "consul-ca", "", "file with the CA of Consul's certificate: switches to HTTPS")
	f.StringVar(&access.TLS.Cert, "consul-cert", "", "file with a client certificate for Consul")
	f.StringVar(&access.TLS.Key, "consul-key", "", "file with its key")
	f.StringVar(&access.TLS.ServerName, "consul-server-name", "", "name expected in Consul's certificate")
	return c
}

func storeCopy(cmd *cobra.Command, fromText, toText string, access consul.Config) (err error) {
	var ends [2]place
	for i, end := range []struct{ flag, text string }{{"from", fromText}, {"to", toText}} {
		p, err := parsePlace(end.flag, end.text)
		if err != nil {
			return err
		}
		p.consul.Cluster, p.consul.Token, p.consul.TLS = access.Cluster, access.Token, access.TLS
		ends[i] = p
	}
	if ends[0].String() == ends[1].String() {
		return badSetting("--from and --to are the same place")
	}
	ctx := cmd.Context()
	from, err := ends[0].open(ctx, true)
	if err != nil {
		return fmt.Errorf("the source: %w", err)
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	to, err := ends[1].open(ctx, false)
	if err != nil {
		return fmt.Errorf("the destination: %w", err)
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	report, err := copy.Copy(ctx, from, to, ends[0].String(), nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "copied %d keys, %d bytes; read back and equal: sha256 %x\n", report.Keys, report.Bytes, report.Sum)
	return nil
}
