// Package bench owns the benchmarks of the whole: it starts `troupe dev` as a
// process of its own over simulated hosts, loads it over loopback, and prints
// one table that holds each number against what it was wanted to be and against
// what the store and the actor library do by themselves on the same machine.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// settings is what `troupe bench` was told.
type settings struct {
	servers, hosts, clients, idle int
	during                        time.Duration
	dir                           string
}

// run collects rows of the table.
type run struct {
	settings
	ctx    context.Context
	notes  io.Writer // progress, for people
	rows   []row
	cloud  *process
	tokens string
}

// row is one line of the table.
type row struct{ what, got, wanted, against string }

func (r *run) add(what, got, wanted, against string) {
	r.rows = append(r.rows, row{what, got, wanted, against})
	fmt.Fprintf(r.notes, "  %s: %s\n", what, got)
}

// part is one group of benchmarks.
type part struct {
	name string
	do   func(*run) error
}

var parts = []part{
	{"what the machine can do", raw},
	{"scheduling decisions", schedule},
	{"an idle cloud", idle},
	{"create until ACTIVE", create},
	{"read", read},
	{"many idle servers", many},
}

// Command is `troupe bench`.
func Command() *cobra.Command {
	var s settings
	c := &cobra.Command{
		Use: "bench", Short: "Measure a cloud on this machine, over loopback", Args: cobra.NoArgs,
		Long: "Measure a cloud on this machine: a `troupe dev` of its own over simulated hosts, in a folder that is\n" +
			"removed afterwards, loaded by this process over loopback. Progress goes to standard error, one table\n" +
			"to standard output.",
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd) },
	}
	f := c.Flags()
	f.IntVar(&s.servers, "servers", 20000, "servers to create")
	f.IntVar(&s.hosts, "hosts", 200, "hosts to simulate")
	f.IntVar(&s.clients, "clients", 64, "clients at once")
	f.IntVar(&s.idle, "idle-servers", 100000, "idle servers whose memory is measured; 0: none")
	f.DurationVar(&s.during, "during", 3*time.Second, "how long each rate is measured")
	f.StringVar(&s.dir, "dir", "", "folder for the data, on the disk that is to be measured; by default a temporary one")
	return c
}

func (s settings) run(cmd *cobra.Command) (err error) {
	if s.servers < 1 || s.hosts < 1 || s.clients < 1 || s.idle < 0 || s.during <= 0 {
		return errors.New("every number has to be positive")
	}
	dir, err := os.MkdirTemp(s.dir, "troupe-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s.dir = dir
	r := &run{settings: s, ctx: cmd.Context(), notes: cmd.ErrOrStderr()}
	defer func() {
		if r.cloud != nil {
			err = errors.Join(err, r.cloud.stop())
		}
	}()
	for _, p := range parts {
		fmt.Fprintf(r.notes, "== %s\n", p.name)
		if err := p.do(r); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", p.name, err), r.print(cmd.OutOrStdout()))
		}
	}
	return r.print(cmd.OutOrStdout())
}

func (r *run) print(w io.Writer) error {
	fmt.Fprintf(w, "%d CPUs, %s %s/%s, %s\n", runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH,
		time.Now().UTC().Format(time.DateOnly))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "WHAT\tMEASURED\tWANTED\tHELD AGAINST")
	for _, x := range r.rows {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", x.what, x.got, dash(x.wanted), dash(x.against))
	}
	return t.Flush()
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// perSecond shows a rate.
func perSecond(n float64, what string) string { return fmt.Sprintf("%.0f %s/s", n, what) }
