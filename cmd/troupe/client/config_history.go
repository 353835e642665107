package client

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/troupe-cloud/troupe/cmd/troupe/nacos"
)

var changeColumns = []column[nacos.Change]{
	{"row", func(c nacos.Change) string { return c.ID }},
	{"when", func(c nacos.Change) string { return when(c.At) }},
	{"what", func(c nacos.Change) string { return operations[c.Operation] }},
	{"gray", func(c nacos.Change) string { return c.Gray }},
	{"user", func(c nacos.Change) string { return c.User }},
	{"from", func(c nacos.Change) string { return c.IP }},
	{"md5 it holds", func(c nacos.Change) string { return c.MD5 }},
}

var operations = map[string]string{"I": "created", "U": "changed", "D": "removed"}

func (r *registryApp) configHistory() *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use: "history DATAID", Short: "List the changes of a config, newest first", Args: exactly(1),
		Long: "List the changes of a config, newest first. The row of a creation holds the content that came, the others\n" +
			"that which went: troupe config get --row shows it, troupe config rollback brings it back.",
		RunE: r.asked(func(cmd *cobra.Command, c *nacos.Client, args []string) error {
			all, total, err := pagesOf(limit, func(number, size int) ([]nacos.Change, int, error) {
				return c.History(cmd.Context(), r.key(args[0]), number, size)
			})
			if err != nil {
				return err
			}
			cutShort(cmd, len(all), total)
			return list(cmd, &r.app, all, changeColumns)
		}),
	}
	c.Flags().IntVar(&limit, "limit", listPage, "how many at most")
	return c
}

func (r *registryApp) configDiff() *cobra.Command {
	var from, to, file string
	c := &cobra.Command{
		Use: "diff DATAID", Short: "Show what is different: since the last change, between rows, or in a file", Args: exactly(1),
		Example: "  troupe config diff app.yaml                  # what the last change did\n" +
			"  troupe config diff app.yaml --from 3         # since what row 3 holds\n" +
			"  troupe config diff app.yaml --from 3 --to 5\n" +
			"  troupe config diff app.yaml --file app.yaml  # what publishing the file would do",
		RunE: r.asked(func(cmd *cobra.Command, c *nacos.Client, args []string) error {
			a, b, err := r.compared(cmd, c, r.key(args[0]), from, to, file)
			if err != nil {
				return err
			}
			text, err := unified(a, b)
			if err == nil {
				_, err = fmt.Fprint(cmd.OutOrStdout(), text)
			}
			return err
		}),
	}
	c.Flags().StringVar(&from, "from", "", "row of the history")
	c.Flags().StringVar(&to, "to", "", "row of the history")
	c.Flags().StringVar(&file, "file", "", "file of a content, - for standard input")
	c.MarkFlagsMutuallyExclusive("file", "from")
	c.MarkFlagsMutuallyExclusive("file", "to")
	return c
}

// version is a content and what it is called.
type version struct{ name, content string }

// compared are the two contents that a diff is about.
func (r *registryApp) compared(cmd *cobra.Command, c *nacos.Client, k nacos.Key, from, to, file string) (a, b version, err error) {
	now, err := c.Config(cmd.Context(), k)
	if err != nil && !nacos.IsNotFound(err) {
		return a, b, err
	}
	b = version{k.DataID + " (now)", now.Content}
	if file != "" {
		text, err := contentOf(cmd, "", []string{file})
		return b, version{file, text}, err
	}
	if from == "" {
		if from, err = lastFormal(cmd, c, k); err != nil || from == "" {
			return b, b, err
		}
	}
	if a, err = row(cmd, c, k, from); err == nil && to != "" {
		b, err = row(cmd, c, k, to)
	}
	return a, b, err
}

func row(cmd *cobra.Command, c *nacos.Client, k nacos.Key, id string) (version, error) {
	is, err := c.Change(cmd.Context(), k, id)
	return version{k.DataID + " (row " + id + ")", is.Content}, err
}

// lastFormal is the newest row that holds what the formal content was before; empty:
// there is none.
func lastFormal(cmd *cobra.Command, c *nacos.Client, k nacos.Key) (string, error) {
	rows, _, err := c.History(cmd.Context(), k, 1, listPage)
	for _, change := range rows {
		if change.Gray == "" && change.Operation != "I" {
			return change.ID, err
		}
	}
	return "", err
}

func (r *registryApp) configRollback() *cobra.Command {
	return &cobra.Command{
		Use: "rollback DATAID ROW", Short: "Publish again what a row of the history holds", Args: exactly(2),
		Long: "Publish again what a row of the history holds (troupe config history). Labels stay as they are. It is\n" +
			"refused if somebody publishes meanwhile.",
		RunE: r.asked(func(cmd *cobra.Command, c *nacos.Client, args []string) error {
			k := r.key(args[0])
			old, err := c.Change(cmd.Context(), k, args[1])
			if err != nil {
				return err
			}
			if old.Gray != "" {
				return usage(fmt.Errorf("row %s is about the gray version %s, not about the formal content", args[1], old.Gray))
			}
			is, err := c.Config(cmd.Context(), k)
			if err != nil && !nacos.IsNotFound(err) {
				return err
			}
			cas := is.MD5
			is.Key, is.Content, is.DataKey = k, old.Content, old.DataKey
			if is.Type == "" {
				is.Type, is.App = typeOf(args[:1]), old.App
			}
			return c.Publish(cmd.Context(), is, cas, "")
		}),
	}
}

func (r *registryApp) configExport() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "export [DATAID]", Short: "Write an archive (zip) of configs; an asterisk stands for any text", Args: cobra.MaximumNArgs(1),
		RunE: r.asked(func(cmd *cobra.Command, c *nacos.Client, args []string) (err error) {
			f := nacos.Filter{Namespace: r.namespace, Group: r.group, DataID: strings.Join(args, "")}
			if file == "-" {
				return c.Export(cmd.Context(), f, cmd.OutOrStdout())
			}
			out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return usage(err)
			}
			if err = c.Export(cmd.Context(), f, out); err == nil {
				return out.Close()
			}
			_ = out.Close()
			_ = os.Remove(file)
			return err
		}),
	}
	c.Flags().StringVarP(&file, "file", "f", "configs.zip", "file to write, which must not be there; - for standard output")
	return c
}

func (r *registryApp) configImport() *cobra.Command {
	var policy string
	c := &cobra.Command{
		Use: "import FILE", Short: "Publish all configs of an archive (zip)", Args: exactly(1),
		RunE: r.asked(func(cmd *cobra.Command, c *nacos.Client, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return usage(err)
			}
			defer f.Close()
			done, err := c.Import(cmd.Context(), r.namespace, strings.ToUpper(policy), f)
			if err != nil {
				return err
			}
			return show(cmd, &r.app, done, []column[nacos.Imported]{
				{"published", func(i nacos.Imported) string { return fmt.Sprint(i.Succeeded) }},
				{"skipped", func(i nacos.Imported) string { return fmt.Sprint(i.Skipped) }},
				{"failed", func(i nacos.Imported) string { return fmt.Sprint(len(i.Failed)) }},
			})
		}),
	}
	c.Flags().StringVar(&policy, "policy", "abort", "what to do with configs that are there: abort, skip or overwrite")
	return c
}
