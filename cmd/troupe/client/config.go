package client

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/troupe-cloud/troupe/cmd/troupe/nacos"
)

// maxContent is the longest content of a config, in bytes.
const maxContent = 10 << 20

var configColumns = []column[nacos.Config]{
	{"data id", func(c nacos.Config) string { return c.DataID }},
	{"group", func(c nacos.Config) string { return c.Group }},
	{"type", func(c nacos.Config) string { return c.Type }},
	{"app", func(c nacos.Config) string { return c.App }},
	{"md5", func(c nacos.Config) string { return c.MD5 }},
	{"modified", func(c nacos.Config) string { return millis(c.ModifiedAt) }},
}

func (r *registryApp) configCommand() *cobra.Command {
	return r.commands("config", "Configurations: get, set, list, remove, watch, history, diff, rollback, import, export",
		r.configGet(), r.configSet(), r.configList(), r.configRemove(), r.configWatch(), r.configHistory(), r.configDiff(),
		r.configRollback(), r.configImport(), r.configExport())
}

func (r *registryApp) configGet() *cobra.Command {
	var row string
	c := &cobra.Command{
		Use: "get DATAID", Short: "Print a content as it is, or with -o json all that is known of the config", Args: exactly(1),
		RunE: r.asked(func(cmd *cobra.Command, c *nacos.Client, args []string) error {
			if row != "" {
				change, err := c.Change(cmd.Context(), r.key(args[0]), row)
				if err != nil {
					return err
				}
				return r.printContent(cmd, change.Content, change)
			}
			is, err := c.Config(cmd.Context(), r.key(args[0]))
			if err != nil {
				return err
			}
			return r.printContent(cmd, is.Content, is)
		}),
	}
	c.Flags().StringVar(&row, "row", "", "the content that a row of the history holds (troupe config history)")
	return c
}

// printContent prints a content, byte for byte, or all there is.
func (r *registryApp) printContent(cmd *cobra.Command, content string, all any) error {
	if r.output != formatTable {
		return encode(cmd.OutOrStdout(), r.output, all)
	}
	_, err := io.WriteString(cmd.OutOrStdout(), content)
	return err
}

func (r *registryApp) configSet() *cobra.Command {
	var content, cas string
	var is nacos.Config
	c := &cobra.Command{
		Use: "set DATAID [FILE]", Short: "Publish a content: of a file, of --content, or of standard input", Args: cobra.RangeArgs(1, 2),
		Long: "Publish a content. Labels that are not said stay as they were; the type of a new config is that of the\n" +
			"file's or the data id's ending.",
		Example: "  troupe config set app.yaml ./app.yaml --desc 'the shop'\n  echo 'a: 1' | troupe config set app.yaml",
		RunE: r.asked(func(cmd *cobra.Command, c *nacos.Client, args []string) error {
			text, err := contentOf(cmd, content, args[1:])
			if err != nil {
				return err
			}
			was, err := c.Config(cmd.Context(), r.key(args[0]))
			if err != nil && !nacos.IsNotFound(err) {
				return err
			}
			is.Key, is.Content = r.key(args[0]), text
			keepLabels(cmd, &is, was)
			if is.Type == "" {
				is.Type = typeOf(args)
			}
			return c.Publish(cmd.Context(), is, cas, "")
		}),
	}
	f := c.Flags()
	f.StringVar(&content, "content", "", "the content")
	f.StringVar(&is.Type, "type", "", "properties, xml, json, text, html, yaml or toml")
	f.StringVar(&is.Description, "desc", "", "description")
	f.StringVar(&is.App, "app", "", "application that it is for")
	f.StringVar(&is.Tags, "tags", "", "tags, by commas")
	f.StringVar(&cas, "cas", "", "only if the content that is replaced has this MD5")
	return c
}

// keepLabels takes what no flag says from what there was.
func keepLabels(cmd *cobra.Command, is *nacos.Config, was nacos.Config) {
	for flag, at := range map[string][2]*string{
		"type": {&is.Type, &was.Type}, "desc": {&is.Description, &was.Description}, "app": {&is.App, &was.App}, "tags": {&is.Tags, &was.Tags},
	} {
		if !cmd.Flags().Changed(flag) {
			*at[0] = *at[1]
		}
	}
	is.Use, is.Effect, is.Schema = was.Use, was.Effect, was.Schema
}

// typeOf is the type that a file's or a data id's ending tells.
func typeOf(names []string) string {
	for i := len(names) - 1; i >= 0; i-- {
		switch ending := strings.TrimPrefix(filepath.Ext(names[i]), "."); ending {
		case "yml":
			return "yaml"
		case "properties", "xml", "json", "html", "yaml", "toml":
			return ending
		}
	}
	return "text"
}

func contentOf(cmd *cobra.Command, said string, files []string) (string, error) {
	if cmd.Flags().Changed("content") {
		if len(files) > 0 {
			return "", usage(fmt.Errorf("there is --content and a file: one of them"))
		}
		return said, nil
	}
	from := cmd.InOrStdin()
	if len(files) > 0 && files[0] != "-" {
		f, err := os.Open(files[0])
		if err != nil {
			return "", usage(err)
		}
		defer f.Close()
		from = f
	}
	raw, err := io.ReadAll(io.LimitReader(from, maxContent+1))
	if err == nil && len(raw) > maxContent {
		err = usage(fmt.Errorf("a content has at most %d bytes", maxContent))
	}
	return string(raw), err
}

func (r *registryApp) configList() *cobra.Command {
	var f nacos.Filter
	var limit int
	c := &cobra.Command{
		Use: "list [DATAID]", Short: "List configs; an asterisk in DATAID stands for any text", Args: cobra.MaximumNArgs(1),
		RunE: r.asked(func(cmd *cobra.Command, c *nacos.Client, args []string) error {
			f.Namespace, f.Group = r.namespace, r.group
			if len(args) > 0 {
				f.DataID = args[0]
			}
			all, total, err := pagesOf(limit, func(number, size int) ([]nacos.Config, int, error) {
				return c.Configs(cmd.Context(), f, number, size)
			})
			if err != nil {
				return err
			}
			cutShort(cmd, len(all), total)
			return list(cmd, &r.app, all, configColumns)
		}),
	}
	c.Flags().StringVar(&f.App, "app", "", "those of an application")
	c.Flags().StringVar(&f.Tags, "tags", "", "those with one of these tags, by commas")
	c.Flags().StringVar(&f.Type, "type", "", "those of a type")
	c.Flags().IntVar(&limit, "limit", defaultLimit, "how many at most")
	return c
}

func (r *registryApp) configRemove() *cobra.Command {
	return &cobra.Command{
		Use: "remove DATAID...", Short: "Remove configs; what is absent is no error", Args: atLeastOne,
		RunE: r.asked(func(cmd *cobra.Command, c *nacos.Client, args []string) error {
			return each(args, func(id string) error { return c.Remove(cmd.Context(), r.key(id)) })
		}),
	}
}
