package naming_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/nacos/naming"
	"github.com/troupe-cloud/troupe/gateway/registry"
)

// watcher listens as a client that holds a connection does.
type watcher struct{}

func (watcher) Hear(*registry.Subscription, *registry.State) {}

func (watcher) Client() registry.Client {
	return registry.Client{Connection: connection.Id, IP: "10.0.0.9", Port: 4711, Agent: "Nacos-Go-Client:v2.3.5", App: "shop", Clusters: "a,b"}
}

func TestExchanges(t *testing.T) {
	w := newWorld(t)
	s, err := w.feeds.Subscribe(service.Ref("public", "DEFAULT_GROUP", "stock"), watcher{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Cancel()
	w.Run(t, "testdata/*.http", `local port:\d+`)
}

// TestEveryRouteIsAsked holds the golden files to the table of routes.
func TestEveryRouteIsAsked(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.http")
	var all strings.Builder
	for _, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(raw)
	}
	variable := regexp.MustCompile(`\\\{\w+\\\}`)
	for _, r := range (&naming.API{}).Routes() {
		line := regexp.QuoteMeta(r.Method + " /nacos" + r.Pattern)
		line = variable.ReplaceAllString(line, `[^/?\n]+`)
		if !regexp.MustCompile(`(?m)^` + line + `(\?.*)?$`).MatchString(all.String()) {
			t.Errorf("no exchange asks %s %s", r.Method, r.Pattern)
		}
	}
}
