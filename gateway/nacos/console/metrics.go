package console

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
)

// status is UP or DOWN. Some clients pick their server by it.
func (a *API) status(ctx context.Context) string {
	if s := a.Switches().Status; s != "" {
		return s
	}
	if !a.ready(ctx) {
		return down
	}
	return up
}

// metricsView is how much there is, on all nodes that answer but for Responsible,
// the connections of this one. Who comes over HTTP is no client that is kept, and not
// counted.
type metricsView struct {
	Status      string `json:"status"`
	Services    int    `json:"serviceCount"`
	Instances   int    `json:"instanceCount"`
	Subscribers int    `json:"subscribeCount"`
	Clients     int    `json:"clientCount"`
	Connections int    `json:"connectionBasedClientCount"`
	Responsible int    `json:"responsibleClientCount"`
}

// metrics is open to everybody as far as it says whether the server is up.
func (a *API) metrics(r *api.Request) (api.Answer, error) {
	v := r.Values()
	only := v.Bool(true, "onlyStatus")
	if v.Err() != nil {
		return api.Answer{}, v.Err()
	}
	status := a.status(r.Context())
	if only || r.User == nil {
		return api.Answer{Data: map[string]string{"status": status}}, nil
	}
	t, err := a.counted.all(r.Context(), a.Cloud)
	view := metricsView{Status: status, Services: t.services, Instances: t.endpoints, Responsible: a.connections()}
	view.Connections, view.Subscribers = a.everywhere(r.Context())
	view.Clients = view.Connections
	return api.Answer{Data: view}, err
}

// everywhere counts connections and who listens to services, on all nodes.
func (a *API) everywhere(ctx context.Context) (connections, listeners int) {
	for _, n := range a.nodesNow(ctx) {
		if n.state != down { // what it said last is not so any more
			connections += int(n.Connections)
			listeners += int(n.Listeners)
		}
	}
	return connections, listeners
}

// prometheus answers in the text format, version 0.0.4, with the names of Nacos'
// own metrics. It is for callers on this machine and for whoever has logged in.
func (a *API) prometheus(r *api.Request) (api.Answer, error) {
	peer, err := netip.ParseAddr(r.ClientIP)
	if r.User == nil && (err != nil || !peer.Unmap().IsLoopback()) {
		return api.Answer{}, api.AccessDenied.Errorf("metrics are for callers on this machine, or with a token")
	}
	t, err := a.counted.all(r.Context(), a.Cloud)
	if err != nil {
		return api.Answer{}, err
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	var b strings.Builder
	fmt.Fprint(&b, "# HELP nacos_monitor What is registered, and who is connected.\n# TYPE nacos_monitor gauge\n")
	for _, m := range []struct {
		module, name string
		value        int64
	}{
		{"naming", "serviceCount", int64(t.services)}, {"naming", "ipCount", int64(t.endpoints)},
		{"naming", "subscriberCount", int64(a.listeners())}, {"config", "configCount", int64(t.configs)}, {"config", "longPolling", a.longPolls()},
		{"core", "longConnection", int64(a.connections())},
	} {
		fmt.Fprintf(&b, "nacos_monitor{module=%q,name=%q} %d\n", m.module, m.name, m.value)
	}
	for _, m := range []struct {
		name, kind, help string
		value            any
	}{
		{"process_uptime_seconds", "gauge", "Since this server was started.", int64(time.Since(a.began).Seconds())},
		{"go_goroutines", "gauge", "Goroutines.", runtime.NumGoroutine()},
		{"go_memstats_heap_inuse_bytes", "gauge", "Bytes of the heap in use.", memory.HeapInuse},
		{"go_memstats_sys_bytes", "gauge", "Bytes taken from the system.", memory.Sys},
	} {
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n%s %v\n", m.name, m.help, m.name, m.kind, m.name, m.value)
	}
	return api.Answer{Raw: []byte(b.String()), Type: "text/plain; version=0.0.4; charset=utf-8"}, nil
}
