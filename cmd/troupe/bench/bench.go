// Package bench owns the benchmarks of the whole: it starts `troupe dev`, or
// Consul and several `troupe node`, as processes of its own over simulated hosts,
// loads them over loopback, and prints one table that holds each number against
// what it was wanted to be and against what the store and the actor library do by
// themselves on the same machine.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// settings is what `troupe bench` was told.
type settings struct {
	servers, hosts, clients, idle int
	nodes, kills, fleet           int
	sizes                         []int
	during                        time.Duration
	dir                           string
	only                          []string
	plots                         string
}

// run collects rows of the table.
type run struct {
	settings
	ctx    context.Context
	notes  io.Writer // progress, for people
	rows   []row
	tokens string
	newest []string // ids of the servers that the clients created last

	cloud *process // of one node
	group *group   // of several
}

// gateways are where the cloud answers: http://host:port.
func (r *run) gateways() []string {
	if r.group == nil {
		return []string{r.cloud.base}
	}
	return r.group.gateways()
}

// home is the data folder where the administrator's credentials are.
func (r *run) home() string {
	if r.group == nil {
		return r.cloud.data
	}
	return r.group.members[0].data
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
	on   string // the part whose servers it looks at, which is measured whenever this one is
}

// The parts that others build on.
const (
	createAll     = "create until ACTIVE"
	createThrough = "create until ACTIVE through every node"
)

// parts are those over one node.
var parts = []part{
	{"what the machine can do", raw, ""},
	{"scheduling decisions", schedule, ""},
	{"an idle cloud", idle, ""},
	{createAll, create, ""},
	{"read", read, createAll},
	{"many idle servers", many, createAll},
	{"the registry", registry, ""},
	{"changes in the registry", registryChanges, ""},
	{"many clients of the registry", manyClients, ""},
	{"a million endpoints", million, ""},
	{"balancer: choices", choices, ""},
	{"balancer: the tail", tails, ""},
	{"balancer: endpoints that die, and the proxy", deaths, ""},
}

// clusterParts are those over several.
var clusterParts = []part{
	{"Consul and the store in it", rawConsul, ""},
	{"a call to another node", rawCrossing, ""},
	{createThrough, createAcross, ""},
	{"requests that cross nodes", crossing, createThrough},
	{"nodes leave", leaves, createThrough},
	{"nodes are killed", kills, createThrough},
	{"decisions over the hosts of every node", fleet, ""},
	{"the cost of growing", growth, ""},
}

// Command is `troupe bench`. Collect has a process collect its garbage as a node does,
// until the context ends.
func Command(collect func(context.Context)) *cobra.Command {
	var s settings
	c := &cobra.Command{
		Use: "bench", Short: "Measure a cloud on this machine, over loopback", Args: cobra.NoArgs,
		Long: "Measure a cloud on this machine: a `troupe dev` of its own over simulated hosts, in a folder that is\n" +
			"removed afterwards, loaded by this process over loopback. Progress goes to standard error, one table\n" +
			"to standard output.\n\n" +
			"With --nodes it is a cluster instead: a Consul server with its disk, and so many `troupe node`, with\n" +
			"mutual TLS between them. TROUPE_CONSUL names a consul; without it, it is what `make consul` provides,\n" +
			"or the one on the PATH. TROUPE_PPROF reaches the first node.",
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd) },
	}
	c.AddCommand(endpointsCommand(collect), reverseProxyCommand())
	f := c.Flags()
	f.IntVar(&s.servers, "servers", 20000, "servers to create")
	f.IntVar(&s.hosts, "hosts", 200, "hosts to simulate")
	f.IntVar(&s.clients, "clients", 64, "clients at once")
	f.IntVar(&s.nodes, "nodes", 1, "nodes of the cloud; more than one are a cluster, and other things are measured")
	f.IntVar(&s.kills, "kills", 10, "of a cluster: how often a node is killed")
	f.IntVar(&s.fleet, "fleet-hosts", 3334, "of a cluster: hosts of each node, for scheduling decisions")
	f.IntSliceVar(&s.sizes, "sizes", []int{3, 10, 30}, "of a cluster: how many members idle clusters have, in rising order")
	f.IntVar(&s.idle, "idle-servers", 100000, "idle servers whose memory is measured; 0: none")
	f.DurationVar(&s.during, "during", 3*time.Second, "how long each rate is measured")
	f.StringSliceVar(&s.only, "only", nil, "measure only the parts whose names begin so, e.g. \"create,nodes leave\"; default: all")
	f.StringVar(&s.plots, "plots", "", "folder to draw plots into; default: none are drawn")
	f.StringVar(&s.dir, "dir", "", "folder for the data, on the disk that is to be measured; by default a temporary one")
	return c
}

func (s settings) check() error {
	if s.servers < 1 || s.hosts < 1 || s.clients < 1 || s.idle < 0 || s.during <= 0 || s.nodes < 1 {
		return errors.New("every number has to be positive")
	}
	if s.nodes == 1 {
		return nil
	}
	if s.nodes < 3 || s.hosts < s.nodes || s.servers < s.nodes || s.kills < 1 || s.fleet < 1 || len(s.sizes) == 0 {
		return errors.New("a cluster is of 3 nodes or more, with a host and a server each, and every number has to be positive")
	}
	if s.sizes[0] < 1 || !slices.Equal(s.sizes, slices.Compact(slices.Sorted(slices.Values(s.sizes)))) {
		return errors.New("--sizes have to be positive and rising")
	}
	return nil
}

// wanted are those of all that --only names, and what they build on, in order.
func (s settings) wanted(all []part) ([]part, error) {
	if len(s.only) == 0 {
		return all, nil
	}
	wanted := make(map[string]bool)
	for _, name := range s.only {
		found := false
		for _, p := range all {
			if strings.HasPrefix(p.name, name) {
				found, wanted[p.name], wanted[p.on] = true, true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("--only %q: no part of this benchmark begins so", name)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(p part) bool { return !wanted[p.name] }), nil
}

func (s settings) run(cmd *cobra.Command) (err error) {
	if err := s.check(); err != nil {
		return err
	}
	todo := parts
	if s.nodes > 1 {
		todo = clusterParts
	}
	if todo, err = s.wanted(todo); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(s.dir, "troupe-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s.dir = dir
	r := &run{settings: s, ctx: cmd.Context(), notes: cmd.ErrOrStderr()}
	defer func() { err = errors.Join(err, r.close(err != nil)) }()
	if s.nodes > 1 {
		if r.group, err = newGroup(r.ctx, s.nodes, dir); err != nil {
			return err
		}
	}
	for _, p := range todo {
		fmt.Fprintf(r.notes, "== %s\n", p.name)
		if err := p.do(r); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", p.name, err), r.print(cmd.OutOrStdout()))
		}
	}
	return r.print(cmd.OutOrStdout())
}

// close ends what still runs; where something has failed, it shows what the nodes said.
func (r *run) close(failed bool) error {
	if r.cloud != nil {
		return r.cloud.stop()
	}
	if r.group == nil {
		return nil
	}
	err := r.group.close()
	for _, m := range r.group.members {
		if (failed || err != nil) && m.process != nil {
			said := m.process.stderr.Bytes()
			fmt.Fprintf(r.notes, "%s: %s\n", m.name, said[max(0, len(said)-lastWords):])
		}
	}
	return err
}

// lastWords is how many bytes of what a node logged are shown after a failure.
const lastWords = 4 << 10

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
