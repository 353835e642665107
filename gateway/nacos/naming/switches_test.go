package naming_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/gateway/nacos/naming"
)

// said is what a request is answered with.
func (w *world) said(method, target string) string {
	a := httptest.NewRecorder()
	w.Server.ServeHTTP(a, httptest.NewRequest(method, "/nacos"+target, nil))
	raw, _ := io.ReadAll(a.Result().Body) // a buffer
	return string(raw)
}

func TestSwitches(t *testing.T) {
	w := newWorldWith(t, func() naming.Switches { return naming.Switches{} })
	w.said(http.MethodPost, "/v1/ns/instance?serviceName=s&ip=127.0.0.1&port=1")
	if got := w.said(http.MethodGet, "/v1/ns/instance/list?serviceName=s&udpPort=5555"); !strings.Contains(got, `"ephemeral":false`) {
		t.Errorf("instances are persistent unless they say otherwise: %s", got)
	}
	if len(w.pushed.all) != 0 {
		t.Error("nobody is to be told by datagrams")
	}
	w.said(http.MethodPost, "/v1/ns/instance?serviceName=b&ip=127.0.0.1&port=1&ephemeral=true")
	if got := w.said(http.MethodPut, "/v1/ns/instance/beat?serviceName=b&ip=127.0.0.1&port=1"); !strings.Contains(got, `"lightBeatEnabled":false`) {
		t.Errorf("light beats are off: %s", got)
	}
	w.said(http.MethodDelete, "/v1/ns/instance?serviceName=s&ip=127.0.0.1&port=1")
	if got := w.said(http.MethodGet, "/v1/ns/instance/statuses?key=s"); got != `{"ips":{}}` {
		t.Errorf("what was persistent by default leaves by default: %s", got)
	}
}

// TestSelector lists for each consumer those who are like it, also after another
// consumer has asked.
func TestSelector(t *testing.T) {
	w := newWorld(t)
	w.said(http.MethodPost, "/v2/ns/service?serviceName=s&ephemeral=true&selector=%7B%22type%22%3A%22label%22%2C%22expression%22%3A%22CONSUMER.label.zone+%3D+PROVIDER.label.zone%22%7D")
	w.said(http.MethodPost, "/v1/ns/instance?serviceName=s&ip=10.0.0.1&port=1&metadata=zone%3Da")
	w.said(http.MethodPost, "/v1/ns/instance?serviceName=s&ip=10.0.0.2&port=1&metadata=zone%3Db")
	for range 2 {
		for ip, other := range map[string]string{"10.0.0.1": "10.0.0.2", "10.0.0.2": "10.0.0.1"} {
			got := w.said(http.MethodGet, "/v1/ns/instance/list?serviceName=s&clientIP="+ip)
			if !strings.Contains(got, `"ip":"`+ip+`"`) || strings.Contains(got, `"ip":"`+other+`"`) {
				t.Errorf("for %s: %s", ip, got)
			}
		}
		if got := w.said(http.MethodGet, "/v1/ns/instance/list?serviceName=s&clientIP=10.0.0.3"); strings.Count(got, `"ip":`) != 2 {
			t.Errorf("for one without labels: %s", got)
		}
	}
}
