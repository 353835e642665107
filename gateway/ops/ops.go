// Package ops owns what operators and their tools read of a running node: is it
// alive, is it ready, what is it doing. Anybody may ask the first two; numbers
// are for callers on this machine, for a scraper has no token.
package ops

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"time"

	"github.com/troupe-cloud/troupe/cluster"
)

// readyTimeout is how long the answer about readiness may take.
const readyTimeout = 2 * time.Second

// Config is what the handlers depend on.
type Config struct {
	Version  string
	Ready    func(context.Context) error // nil: ready
	Stats    func() cluster.Stats
	InFlight func() int64 // HTTP requests under way
}

// Mount adds /healthz, /readyz and /metrics to mux.
func Mount(mux *http.ServeMux, c Config) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", c.ready)
	mux.HandleFunc("GET /metrics", c.metrics)
}

func (c Config) ready(w http.ResponseWriter, r *http.Request) {
	if c.Ready != nil {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		if err := c.Ready(ctx); err != nil {
			text(w, http.StatusServiceUnavailable, "not ready\n") // why is in the log, not for strangers
			return
		}
	}
	text(w, http.StatusOK, "ready\n")
}

// metrics answers in the Prometheus text format, version 0.0.4.
func (c Config) metrics(w http.ResponseWriter, r *http.Request) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		http.Error(w, "metrics are for callers on this machine", http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	c.write(w)
}

func (c Config) write(w io.Writer) {
	s := c.Stats()
	fmt.Fprintf(w, "# HELP troupe_info What runs here.\n# TYPE troupe_info gauge\ntroupe_info{version=%q,go=%q} 1\n", c.Version, runtime.Version())
	fmt.Fprint(w, "# HELP troupe_actors Actors in memory.\n# TYPE troupe_actors gauge\n")
	for _, kind := range slices.Sorted(maps.Keys(s.Actors)) {
		fmt.Fprintf(w, "troupe_actors{kind=%q} %d\n", kind, s.Actors[kind])
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	for _, m := range []struct {
		name, kind, help string
		value            any
	}{
		{"troupe_messages_waiting", "gauge", "Messages that wait in mailboxes.", s.Waiting},
		{"troupe_commits_in_flight", "gauge", "Commits under way.", s.InFlight},
		{"troupe_commits_total", "counter", "Commits since the start.", s.Commits},
		{"troupe_steps_total", "counter", "Messages handled since the start.", s.Steps},
		{"troupe_stale_total", "counter", "Activations that lost their actor to another.", s.Stale},
		{"troupe_panics_total", "counter", "Steps that panicked.", s.Panics},
		{"troupe_driver_operations", "gauge", "Driver operations running or waiting.", s.Driving},
		{"troupe_http_in_flight", "gauge", "HTTP requests under way.", c.InFlight()},
		{"go_goroutines", "gauge", "Goroutines.", runtime.NumGoroutine()},
		{"go_memstats_heap_inuse_bytes", "gauge", "Bytes of the heap in use.", memory.HeapInuse},
		{"go_memstats_sys_bytes", "gauge", "Bytes taken from the system.", memory.Sys},
	} {
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n%s %d\n", m.name, m.help, m.name, m.kind, m.name, m.value)
	}
}

func text(w http.ResponseWriter, status int, s string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, s) // whoever asked is gone: nothing to do
}
