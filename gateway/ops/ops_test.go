package ops

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/messages"
)

func TestEndpoints(t *testing.T) { // table: one row, one question
	var ready error
	mux := http.NewServeMux()
	Mount(mux, Config{
		Version: "v1", Ready: func(context.Context) error { return ready },
		Stats:    func() cluster.Stats { return cluster.Stats{Actors: map[string]int64{"instance": 3}, Commits: 7} },
		InFlight: func() int64 { return 2 },
	})
	for _, tt := range []struct {
		name, path, from string
		ready            error
		status           int
		want             string
	}{
		{"alive", "/healthz", "192.0.2.1:1", nil, 200, "ok"},
		{"alive though not ready", "/healthz", "192.0.2.1:1", messages.Unavailable, 200, "ok"},
		{"ready", "/readyz", "192.0.2.1:1", nil, 200, "ready"},
		{"not ready", "/readyz", "192.0.2.1:1", messages.Unavailable, 503, "not ready"},
		{"numbers by kind", "/metrics", "127.0.0.1:1", nil, 200, `troupe_actors{kind="instance"} 3`},
		{"numbers", "/metrics", "[::1]:1", nil, 200, "troupe_commits_total 7\n"},
		{"numbers for a stranger", "/metrics", "192.0.2.1:1", nil, 403, "this machine"},
	} {
		ready = tt.ready
		r := httptest.NewRequest(http.MethodGet, tt.path, nil)
		r.RemoteAddr = tt.from
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: got %d %q, want %d %q", tt.name, w.Code, w.Body, tt.status, tt.want)
		}
	}
}
