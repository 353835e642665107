package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"
)

// The forms of output.
const (
	formatTable = "table"
	formatJSON  = "json"
	formatYAML  = "yaml"
)

// column is one column of a table over items of type T.
type column[T any] struct {
	title string
	cell  func(T) string
}

// list prints items: a table of the columns, or all that their JSON form has.
func list[T any](cmd *cobra.Command, a *app, items []T, columns []column[T]) error {
	if a.output != formatTable {
		if items == nil {
			items = []T{}
		}
		return encode(cmd.OutOrStdout(), a.output, items)
	}
	titles := make([]string, len(columns))
	for i, c := range columns {
		titles[i] = strings.ToUpper(c.title)
	}
	rows := [][]string{titles}
	for _, item := range items {
		row := make([]string, len(columns))
		for i, c := range columns {
			row[i] = c.cell(item)
		}
		rows = append(rows, row)
	}
	return align(cmd.OutOrStdout(), rows)
}

// show prints one item: a line for each column, or its JSON form.
func show[T any](cmd *cobra.Command, a *app, item T, columns []column[T]) error {
	if a.output != formatTable {
		return encode(cmd.OutOrStdout(), a.output, item)
	}
	var rows [][]string
	for _, c := range columns {
		rows = append(rows, []string{c.title, c.cell(item)})
	}
	return align(cmd.OutOrStdout(), rows)
}

// align prints rows in columns. Control characters are shown escaped: names come
// from other users and must not steer this terminal.
func align(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			row[i] = first(printable(cell), "-")
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

func printable(s string) string {
	clean := func(r rune) bool { return r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) }
	if strings.IndexFunc(s, clean) < 0 {
		return s
	}
	quoted := fmt.Sprintf("%q", s)
	return quoted[1 : len(quoted)-1]
}

func encode(w io.Writer, format string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	if format == formatJSON {
		_, err = fmt.Fprintf(w, "%s\n", raw)
		return err
	}
	// JSON is YAML: reading it as nodes keeps names and order.
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return err
	}
	block(&doc)
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(&doc); err != nil {
		return err
	}
	_, err = w.Write(b.Bytes())
	return err
}

// plain are the strings that no YAML reader takes for anything else.
var plain = regexp.MustCompile(`^[A-Za-z_/][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*$`)

// block takes the JSON style from every node where it is safe: words that older
// readers take for a truth value or a null keep their quotes.
func block(n *yaml.Node) {
	switch n.Kind {
	case yaml.ScalarNode:
		switch strings.ToLower(n.Value) {
		case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		default:
			if plain.MatchString(n.Value) {
				n.Style = 0
			}
		}
	default:
		if len(n.Content) > 0 {
			n.Style = 0
		}
	}
	for _, c := range n.Content {
		block(c)
	}
}

// checkOutput refuses an unknown form before anything is asked of the cloud.
func (a *app) checkOutput(*cobra.Command, []string) error {
	switch a.output {
	case formatTable, formatJSON, formatYAML:
		return nil
	}
	return usage(fmt.Errorf("-o %s: the forms are table, json and yaml", a.output))
}
