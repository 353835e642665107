package eureka

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/watch"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// TestTwoGateways: what is said to one is known to the other, also before it has
// heard of it.
func TestTwoGateways(t *testing.T) {
	var c Config
	w := newWorldWith(t, func(made *Config) { c = *made })
	c.Feeds, c.Names = registry.NewFeeds(w.Client), registry.NewNames(w.Client)
	other, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Feeds.Close)
	t.Cleanup(c.Names.Close)
	t.Cleanup(other.Close)
	other.view.waits = w.api.view.waits
	ask := func(method, path, body string) (int, string) {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", typeJSON)
		got := httptest.NewRecorder()
		other.ServeHTTP(got, r)
		return got.Code, got.Body.String()
	}
	if status, body := ask("GET", "/eureka/apps", ""); status != 200 {
		t.Fatal(status, body)
	}
	w.must(204, "POST", "/eureka/apps/BILLING", billing("i", "10.0.0.1", ""), sendsJSON)
	w.must(204, "POST", "/eureka/apps/BILLING", billing("j", "10.0.0.2", ""), sendsJSON)
	for _, r := range [][2]string{{"PUT", "/eureka/apps/BILLING/i/status?value=OUT_OF_SERVICE"}, {"PUT", "/eureka/apps/BILLING/i/metadata?a=b"}, {"DELETE", "/eureka/apps/BILLING/j"}} {
		if status, body := ask(r[0], r[1], ""); status != 200 {
			t.Errorf("%v: %d %s", r, status, body)
		}
	}
	w.shows("BILLING", "i", outOfService)
	w.shows("BILLING", "j", "")
	for _, v := range []*view{w.api.view, other.view} {
		(&world{t: t, api: &API{view: v}}).show("one out of service", func(v *view) bool { return hashOf(v.counts) == "OUT_OF_SERVICE_1_" })
	}
	if status, body := ask("PUT", "/eureka/apps/BILLING/i", ""); status != 200 {
		t.Errorf("renew: %d %s", status, body)
	}
	if status, _ := ask("DELETE", "/eureka/apps/BILLING/nobody", ""); status != 404 {
		t.Errorf("nobody is cancelled: %d", status)
	}
	if status, _ := ask("DELETE", "/eureka/apps/NOBODY/nobody", ""); status != 404 {
		t.Errorf("nobody of nothing is cancelled: %d", status)
	}
}

// TestAdmission: who comes while there is too much to do is told to come again.
func TestAdmission(t *testing.T) {
	pressure, allow := 0.0, true
	w := newWorldWith(t, func(c *Config) {
		c.Pressure = func() float64 { return pressure }
		c.Allow = func(string) bool { return allow }
	})
	w.must(200, "GET", "/eureka/apps", "")
	pressure = 1
	w.must(503, "GET", "/eureka/apps", "")
	pressure, allow = 0, false
	w.must(503, "PUT", "/eureka/apps/A/i", "")
	allow = true
	w.api.bodies.Store(maxBodyBytes)
	w.must(503, "POST", "/eureka/apps/A", billing("i", "10.0.0.1", ""), sendsJSON)
	w.must(414, "GET", "/eureka/apps?"+strings.Repeat("a", maxQueryBytes+1), "")
	w.must(404, "GET", "/eureka//apps", "")
	w.must(404, "GET", "/eureka/apps/../apps", "")
	w.must(200, "HEAD", "/eureka/apps", "")
	w.must(405, "POST", "/eureka/apps", "")
}

// TestStopping: a gateway that stops says so.
func TestStopping(t *testing.T) {
	w := newWorld(t)
	w.must(200, "GET", "/eureka/apps", "")
	w.api.Close()
	w.must(503, "GET", "/eureka/apps", "")
	w.must(503, "PUT", "/eureka/apps/A/i", "")
}

// TestConfig refuses what cannot work.
func TestConfig(t *testing.T) {
	var whole Config
	newWorldWith(t, func(c *Config) { whole = *c })
	for name, change := range map[string]func(*Config){
		"nobody to ask": func(c *Config) { c.Auth = nil }, "a namespace that is none": func(c *Config) { c.Namespace = "a b" },
		"a group that is none": func(c *Config) { c.Group = "a b" }, "no feeds": func(c *Config) { c.Feeds = nil },
	} {
		c := whole
		change(&c)
		if _, err := New(c); messages.KindOf(err) != messages.ErrorKind_ERROR_KIND_INVALID {
			t.Errorf("%s: %v", name, err)
		}
	}
}

var _ http.Handler = (*API)(nil)

// deaf hears nothing of one service, and refuses to watch another.
type deaf struct {
	registry.Cloud
	mute, refuse string
}

func (d deaf) Watch(ctx context.Context, ref actors.Ref, get proto.Message) (<-chan watch.Change, error) {
	switch {
	case strings.HasSuffix(ref.ID, d.mute):
		return make(chan watch.Change), nil
	case strings.HasSuffix(ref.ID, d.refuse):
		return nil, messages.Exhausted
	}
	return d.Cloud.Watch(ctx, ref, get)
}

// deafWorld has a node that is deaf, and two services.
func deafWorld(t *testing.T, names ...string) *world {
	w := newWorldWith(t, func(c *Config) {
		c.Feeds = registry.NewFeeds(deaf{c.Cloud.(registry.Cloud), "@@MUTE", "@@NONE"})
		t.Cleanup(c.Feeds.Close)
	})
	for _, name := range names {
		e := &messages.Endpoint{Ip: "10.0.0.1", Weight: 1}
		if _, err := w.Client.Ask(t.Context(), w.api.ref(name), &messages.RegisterEndpoints{Endpoints: []*messages.Endpoint{e}}); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// TestMuteService: a service that does not answer holds all up, but not for ever.
func TestMuteService(t *testing.T) {
	w := deafWorld(t, "LOUD", "MUTE")
	v := w.api.view
	v.patient = time.Hour
	whole, err := v.begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.show("who answers", func(v *view) bool { return v.apps["LOUD"] != nil })
	select {
	case <-whole:
		t.Fatal("it is shown without all that there is")
	default:
	}
	v.giveUp(v.whole)
	if got := w.must(200, "GET", "/eureka/apps", ""); !strings.Contains(got, "LOUD") || strings.Contains(got, "MUTE") {
		t.Error(got)
	}
}

// TestRefusedService: where not all can be watched, nothing is shown, and not each
// request tries again.
func TestRefusedService(t *testing.T) {
	w := deafWorld(t, "LOUD", "NONE")
	w.must(503, "GET", "/eureka/apps", "")
	v := w.api.view
	v.mu.Lock()
	if v.failed == nil || v.whole != nil || len(v.sources) != 0 {
		t.Errorf("after a failure the view is %v", v.sources)
	}
	v.mu.Unlock()
	w.must(503, "GET", "/eureka/apps", "")
	v.mu.Lock()
	v.retry = time.Time{}
	v.mu.Unlock()
	w.must(503, "GET", "/eureka/apps", "")
}
