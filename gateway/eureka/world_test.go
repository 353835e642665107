package eureka

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/nacostest"
	"github.com/troupe-cloud/troupe/gateway/nacos/naming"
	"github.com/troupe-cloud/troupe/gateway/registry"
)

// world is a node that speaks Eureka, and Nacos about the same registry.
type world struct {
	*nacostest.Cloud
	t     testing.TB
	api   *API
	names *registry.Names
}

func newWorld(t testing.TB) *world { return newWorldWith(t, func(*Config) {}) }

func newWorldWith(t testing.TB, change func(*Config)) *world {
	w := &world{Cloud: nacostest.Start(t, nacostest.Config{Kinds: []actors.Kind{service.Spec()}}), t: t}
	feeds, beats := registry.NewFeeds(w.Client), registry.NewBeats(w.Client)
	t.Cleanup(feeds.Close)
	w.names = registry.NewNames(w.Client)
	t.Cleanup(w.names.Close)
	w.Mount(naming.New(naming.Config{Cloud: w.Client, Beats: beats, Feeds: feeds, Renders: registry.NewRenders()}).Routes())
	c := Config{Cloud: w.Client, Feeds: feeds, Names: w.names, Beats: beats, Auth: nacostest.Anybody{}, Log: zerolog.Nop()}
	change(&c)
	var err error
	if w.api, err = New(c); err != nil {
		t.Fatal(err)
	}
	w.api.view.waits = waits{time.Minute, time.Minute}
	t.Cleanup(w.api.Close)
	web := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, api.Prefix) {
			w.Server.ServeHTTP(rw, r)
			return
		}
		w.api.ServeHTTP(rw, r)
	}))
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		web.Close()
	})
	w.URL = web.URL
	return w
}

// do sends a request; headers are "Name: value".
func (w *world) do(method, path, body string, headers ...string) (int, string) {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

func (w *world) must(status int, method, path, body string, headers ...string) string {
	w.t.Helper()
	got, text := w.do(method, path, body, headers...)
	if got != status {
		w.t.Fatalf("%s %s: %d %s", method, path, got, text)
	}
	return text
}

const (
	sendsJSON = "Content-Type: application/json"
	takesJSON = "Accept: application/json"
)

// TestExchanges compares what is asked and answered with the files of testdata, each
// with a registry of its own.
func TestExchanges(t *testing.T) {
	files, err := filepath.Glob("testdata/*.http")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no exchanges", err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			newWorld(t).Run(t, path, `versions__delta\W+\d+`, `\d+mb( \(\d+%\))?`, `num-of-cpus\W+\d+`, `server-uptime\W+[\d:]+`)
		})
	}
}
