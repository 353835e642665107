package balancer

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// metric is one of those that WriteMetrics writes, for every server.
type metric struct {
	name, kind, help string
	value            func(*Stats) float64
}

var metrics = []metric{
	{"calls_total", "counter", "Calls that have ended.", func(s *Stats) float64 { return float64(s.Calls) }},
	{"failures_total", "counter", "Calls that have failed.", func(s *Stats) float64 { return float64(s.Failed) }},
	{"active_calls", "gauge", "Calls under way.", func(s *Stats) float64 { return float64(s.Active) }},
	{"usable", "gauge", "Whether the server gets calls.", func(s *Stats) float64 { return truth(s.Usable) }},
	{"down", "gauge", "Whether the registry or a ping says that it is not to be called.", func(s *Stats) float64 { return truth(s.Down) }},
	{"tripped_seconds", "gauge", "How long it gets no calls yet, because it could not be reached.", func(s *Stats) float64 { return s.TrippedFor.Seconds() }},
	{"ejected_seconds", "gauge", "How long it gets no calls yet, because it answered badly.", func(s *Stats) float64 { return s.EjectedFor.Seconds() }},
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// labelled is a server's reading, with its labels.
type labelled struct {
	labels string
	Stats
}

// WriteMetrics writes the numbers of all servers in Prometheus' text format 0.0.4.
func WriteMetrics(w io.Writer, of ...*Balancer) error {
	var all []labelled
	for _, b := range of {
		for _, s := range b.Stats() {
			all = append(all, labelled{"service=" + label(b.name) + ",server=" + label(s.ID) + ",zone=" + label(s.Zone), s})
		}
	}
	out := bufio.NewWriter(w)
	head := func(name, kind, help string) {
		_, _ = fmt.Fprintf(out, "# HELP troupe_balancer_%s %s\n# TYPE troupe_balancer_%s %s\n", name, help, name, kind) // Flush tells
	}
	for _, m := range metrics {
		head(m.name, m.kind, m.help)
		for i := range all {
			_, _ = fmt.Fprintf(out, "troupe_balancer_%s{%s} %g\n", m.name, all[i].labels, m.value(&all[i].Stats))
		}
	}
	head("response_seconds", "summary", "Response times, of the last some hundred.")
	for i := range all {
		s := &all[i]
		for _, q := range []struct {
			of string
			is time.Duration
		}{{"0.5", s.P50}, {"0.9", s.P90}, {"0.99", s.P99}} {
			_, _ = fmt.Fprintf(out, "troupe_balancer_response_seconds{%s,quantile=%q} %g\n", s.labels, q.of, q.is.Seconds())
		}
		_, _ = fmt.Fprintf(out, "troupe_balancer_response_seconds_sum{%s} %g\n", s.labels, s.Mean.Seconds()*float64(s.Calls))
		_, _ = fmt.Fprintf(out, "troupe_balancer_response_seconds_count{%s} %d\n", s.labels, s.Calls)
	}
	return out.Flush()
}

var escapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func label(s string) string { return `"` + escapes.Replace(strings.ToValidUTF8(s, "?")) + `"` }

// WriteMetrics writes the numbers of all services that were asked for.
func (s *Services) WriteMetrics(w io.Writer) error {
	s.mu.Lock()
	all := make([]*Balancer, 0, len(s.known))
	for _, known := range s.known {
		all = append(all, known.Balancer)
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b *Balancer) int { return strings.Compare(a.name, b.name) })
	return WriteMetrics(w, all...)
}
