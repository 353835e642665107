package proxy

import (
	"net/http"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/balancer"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
)

// TestSettingsChange: what the metadata of a service says counts from then on; and a
// service that nobody calls is forgotten.
func TestSettingsChange(t *testing.T) {
	w, b := start(t, loopback), backend(t)
	w.register(t, "web", nil, b.address())
	w.get(t, http.MethodGet, web, nil)
	key := api.Key{Namespace: "public", Group: "DEFAULT_GROUP", Name: "web"}
	found, err := w.proxy.services.enter(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	changed := make(chan struct{}, 100)
	found.Watch(func(*balancer.Set) { changed <- struct{}{} })
	w.register(t, "web", map[string]string{balancer.RuleKey: "random", balancer.RetriesKey: "5", balancer.TimeoutKey: "3s"}, b.address())
	for tr := found.transport.Load(); tr.Retry.Next != 5 || tr.AnswerTime != 3*time.Second; tr = found.transport.Load() {
		select {
		case <-changed:
		case <-t.Context().Done():
			t.Fatal("the settings do not count")
		}
	}
	s := &w.proxy.services
	if s.mu.Lock(); s.forget(time.Now().Add(time.Hour), idleService) {
		t.Error("a service that is called was forgotten")
	}
	s.mu.Unlock()
	found.leave()
	if s.mu.Lock(); !s.forget(time.Now().Add(time.Hour), idleService) || len(s.all) != 0 {
		t.Error("a service that nobody calls was not forgotten")
	}
	s.mu.Unlock()
	if resp, body := w.get(t, http.MethodGet, web+"/again", nil); resp.StatusCode != 200 || body != "GET /again" {
		t.Errorf("called again: %d %s", resp.StatusCode, body)
	}
}
