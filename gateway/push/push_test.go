package push_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/balancer"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/gateway/door"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/push"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// accounts has one user, who may read all but secret, by any of a few tokens.
type accounts struct{}

func (accounts) Identify(_ context.Context, c api.Credentials) (*api.User, error) {
	if c.Token != "good" && c.Token != "login" {
		return nil, fmt.Errorf("no: %w", messages.Denied)
	}
	return api.NewUser("u", false, func(r api.Resource, to api.Action) bool { return to == api.Read && r.Name != "secret" }), nil
}

type world struct {
	client *cluster.Client
	push   *push.Server
	url    string
	logins int
}

func start(t *testing.T, polls int) *world {
	t.Helper()
	node, err := cluster.Start(context.Background(), cluster.Config{Name: "test", Store: mem.New(), Kinds: []actors.Kind{service.Spec()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Stop(context.Background()) })
	w := &world{client: node.Client()}
	feeds := registry.NewFeeds(w.client)
	t.Cleanup(feeds.Close)
	w.push = push.New(push.Config{Door: &door.Door{Auth: accounts{}}, Feeds: feeds, MaxPolls: polls})
	mux := http.NewServeMux()
	mux.Handle(push.Prefix, w.push)
	mux.HandleFunc("POST /nacos/v1/auth/login", func(rw http.ResponseWriter, r *http.Request) {
		w.logins++
		if r.FormValue("username") != "u" || r.FormValue("password") != "p" {
			rw.WriteHeader(http.StatusForbidden)
			return
		}
		token := "login"
		if w.logins == 1 {
			token = "ended"
		}
		_, _ = fmt.Fprintf(rw, `{"accessToken":%q,"tokenTtl":18000}`, token)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	t.Cleanup(w.push.Close)
	w.url = s.URL
	return w
}

func (w *world) register(t *testing.T, name, ip string) {
	t.Helper()
	_, err := w.client.Ask(t.Context(), service.Ref("public", "DEFAULT_GROUP", name), &messages.RegisterEndpoints{
		Endpoints: []*messages.Endpoint{{Ip: ip, Port: 80, Cluster: "DEFAULT", Weight: 1, Enabled: true, Healthy: true, Persistent: true, Metadata: map[string]string{"k": "v"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) get(t *testing.T, path, token string) (*http.Response, push.View) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set(door.TokenHeader, token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var v push.View
	if raw, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode == 200 && json.Unmarshal(raw, &v) != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return resp, v
}

const web = push.Prefix + "public/DEFAULT_GROUP/web"

func TestPush(t *testing.T) {
	w := start(t, 2)
	_, v := w.get(t, web, "good")
	if v.Exists || v.Revision == 0 || v.Endpoints == nil {
		t.Errorf("a service that is not there: %+v", v)
	}
	w.register(t, "web", "10.0.0.1")
	_, v = w.get(t, fmt.Sprintf("%s?revision=%d&wait=30s", web, v.Revision), "good")
	if len(v.Endpoints) != 1 || v.Endpoints[0].IP != "10.0.0.1" || !v.Endpoints[0].Healthy || v.Endpoints[0].Metadata["k"] != "v" {
		t.Fatalf("after the registration: %+v", v)
	}
	resp, _ := w.get(t, fmt.Sprintf("%s?revision=%d&wait=1ms", web, v.Revision), "good")
	if resp.StatusCode != http.StatusNotModified || resp.Header.Get(push.Revision) != fmt.Sprint(v.Revision) {
		t.Errorf("nothing new: %d %v", resp.StatusCode, resp.Header)
	}
	told := make(chan push.View)
	go func() {
		_, v := w.get(t, fmt.Sprintf("%s?revision=%d&wait=50s", web, v.Revision), "good")
		told <- v
	}()
	w.register(t, "web", "10.0.0.2")
	if v := <-told; len(v.Endpoints) != 2 {
		t.Errorf("told %+v", v)
	}
}

func TestRefusals(t *testing.T) {
	w := start(t, 0)
	for name, c := range map[string]struct {
		path, token string
		status      int
	}{
		"nobody":              {web, "", 401},
		"a bad token":         {web, "bad", 401},
		"no permission":       {push.Prefix + "public/DEFAULT_GROUP/secret", "good", 403},
		"half a name":         {push.Prefix + "public/web", "good", 400},
		"below":               {web + "/x", "good", 404},
		"a bad revision":      {web + "?revision=-1", "good", 400},
		"a bad time":          {web + "?wait=30", "good", 400},
		"a time that is over": {web + "?wait=-1s", "good", 400},
	} {
		if resp, _ := w.get(t, c.path, c.token); resp.StatusCode != c.status {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
	}
	resp, err := http.Post(w.url+web, "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", resp.StatusCode)
	}
}

// TestSource follows a service through a registry whose first server is dead, with
// a token that ends; and goes to another when this one stops.
func TestSource(t *testing.T) {
	w, dead := start(t, 0), httptest.NewServer(nil)
	dead.Close()
	w.register(t, "web", "10.0.0.1")
	ctx, cancel := context.WithCancel(t.Context())
	lists, done := make(chan []balancer.Endpoint, 10), make(chan error, 1)
	source := &balancer.Troupe{Servers: []string{dead.URL, w.url}, User: "u", Password: "p"}
	go func() { done <- source.Watch(ctx, "web", func(list []balancer.Endpoint) { lists <- list }) }()
	if got := <-lists; len(got) != 1 || got[0].Address() != "10.0.0.1:80" || got[0].Zone != "DEFAULT" || got[0].Down {
		t.Fatalf("got %+v", got)
	}
	w.register(t, "web", "10.0.0.2")
	if got := <-lists; len(got) != 2 {
		t.Errorf("got %+v", got)
	}
	if w.logins != 2 {
		t.Errorf("%d logins, want one, and one when the token had ended", w.logins)
	}
	w.push.Close() // answers 503: there is no other server that could be asked
	if err := <-done; err == nil || ctx.Err() != nil {
		t.Errorf("the watch ended with %v", err)
	}
	cancel()
	wrong := &balancer.Troupe{Servers: []string{w.url}, User: "u", Password: "secret-word"}
	if err := wrong.Watch(t.Context(), "web", nil); err == nil || strings.Contains(err.Error(), "secret-word") {
		t.Errorf("with a wrong password: %v", err)
	}
}

// TestWrongSettings: whoever asks for a service is told which of its settings of the
// balancer do not count.
func TestWrongSettings(t *testing.T) {
	w := start(t, 0)
	w.register(t, "web", "10.0.0.1")
	if _, err := w.client.Ask(t.Context(), service.Ref("", "", "web"), &messages.SetService{
		MetadataSet: true, Metadata: map[string]string{balancer.RuleKey: "p2c", balancer.TimeoutKey: "soon"},
	}); err != nil {
		t.Fatal(err)
	}
	resp, v := w.get(t, push.Prefix+"public/DEFAULT_GROUP/web", "good")
	if len(v.Wrong) != 1 || !strings.Contains(v.Wrong[0], balancer.TimeoutKey) || !strings.Contains(v.Wrong[0], "soon") {
		t.Errorf("%d %+v", resp.StatusCode, v)
	}
}
