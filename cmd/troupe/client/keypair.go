package client

import (
	"fmt"
	"net/url"
	"os"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/keypairs"
	"github.com/spf13/cobra"
)

var keypairColumns = []column[keypairs.KeyPair]{
	{"name", func(k keypairs.KeyPair) string { return k.Name }},
	{"type", func(k keypairs.KeyPair) string { return k.Type }},
	{"fingerprint", func(k keypairs.KeyPair) string { return k.Fingerprint }},
}

func (a *app) keypairCommand() *cobra.Command {
	return a.group("keypair", "Keys to log in to servers: list, create, show, delete",
		a.keypairList(), a.keypairCreate(), a.keypairShow(), a.keypairDelete())
}

func (a *app) keypairList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List your keypairs", Args: exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.compute(cmd.Context(), keypairsVersion)
			if err != nil {
				return err
			}
			pages, err := keypairs.List(c, keypairs.ListOpts{}).AllPages(cmd.Context())
			if err != nil {
				return err
			}
			all, err := keypairs.ExtractKeyPairs(pages)
			if err != nil {
				return err
			}
			return list(cmd, a, all, keypairColumns)
		},
	}
}

func (a *app) keypairCreate() *cobra.Command {
	var publicKey, privateKey, kind string
	c := &cobra.Command{
		Use: "create NAME", Short: "Import a public key, or have the cloud make a pair", Args: exactly(1),
		Example: "  troupe keypair create laptop --public-key ~/.ssh/id_ed25519.pub\n" +
			"  troupe keypair create new --private-key new.pem",
		RunE: func(cmd *cobra.Command, args []string) error {
			opts := keypairs.CreateOpts{Name: args[0], Type: kind}
			if publicKey != "" {
				raw, err := os.ReadFile(publicKey)
				if err != nil {
					return usage(err)
				}
				opts.PublicKey = string(raw)
			}
			c, err := a.compute(cmd.Context(), keypairsVersion)
			if err != nil {
				return err
			}
			k, err := keypairs.Create(cmd.Context(), c, opts).Extract()
			if err != nil {
				return err
			}
			if k.PrivateKey == "" {
				return show(cmd, a, *k, keypairColumns)
			}
			if privateKey == "" {
				if a.output == formatTable {
					_, err = fmt.Fprint(cmd.OutOrStdout(), k.PrivateKey)
					return err
				}
				return show(cmd, a, *k, keypairColumns)
			}
			if err := writeSecret(privateKey, k.PrivateKey); err != nil {
				return fmt.Errorf("keypair %s was made, but its private key cannot be saved and is lost: %w", k.Name, err)
			}
			return show(cmd, a, *k, keypairColumns)
		},
	}
	c.Flags().StringVar(&publicKey, "public-key", "", "file with the public key to import")
	c.Flags().StringVar(&privateKey, "private-key", "", "file to write the new private key to (mode 0600); without it, it is printed")
	c.Flags().StringVar(&kind, "type", "ssh", "ssh or x509")
	c.MarkFlagsMutuallyExclusive("public-key", "private-key")
	return c
}

// writeSecret makes a file that only its owner reads; an existing one is refused.
func writeSecret(path, secret string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(secret); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func (a *app) keypairShow() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show a keypair's public half", Args: exactly(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.compute(cmd.Context(), keypairsVersion)
			if err != nil {
				return err
			}
			k, err := keypairs.Get(cmd.Context(), c, url.PathEscape(args[0]), nil).Extract()
			if missing(err) {
				return notFound("keypair", args[0])
			}
			if err != nil {
				return err
			}
			return show(cmd, a, *k, append(keypairColumns[:len(keypairColumns):len(keypairColumns)],
				column[keypairs.KeyPair]{"public key", func(k keypairs.KeyPair) string { return k.PublicKey }}))
		},
	}
}

func (a *app) keypairDelete() *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME...", Short: "Delete keypairs; servers keep what they were given", Args: atLeastOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.compute(cmd.Context(), keypairsVersion)
			if err != nil {
				return err
			}
			return each(args, func(name string) error {
				err := keypairs.Delete(cmd.Context(), c, url.PathEscape(name), nil).ExtractErr()
				if missing(err) {
					return notFound("keypair", name)
				}
				return err
			})
		},
	}
}
