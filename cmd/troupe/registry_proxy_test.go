package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/balancer"
)

// TestCallThroughTheRegistry registers a server as Nacos' clients do, calls it
// through the proxy and by name, and reads the numbers.
func TestCallThroughTheRegistry(t *testing.T) {
	config := registryConfig(t)
	config.Proxy = proxyConfig{Listen: "127.0.0.1:0", Domain: "svc.local", Allow: []string{"127.0.0.0/8"}}
	if err := config.check(); err != nil {
		t.Fatal(err)
	}
	c := startRegistry(t, config)
	if line := c.readyLine(); !strings.Contains(line, "proxy "+c.registry.proxyAddress) {
		t.Error(line)
	}
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "hello from "+r.URL.Path+r.Header.Get("X-Troupe-Token")+r.Header.Get("Authorization"))
	}))
	defer backend.Close()
	token := login(t, c)
	host, port, _ := net.SplitHostPort(backend.Listener.Addr().String())
	if status, body := tell(t, c, "POST", "/v1/ns/instance", url.Values{"serviceName": {"web"}, "ip": {host}, "port": {port}, "accessToken": {token}}); status != 200 {
		t.Fatalf("register: %d %s", status, body)
	}
	get := func(address, path, host, authorization string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Host = host; authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(raw)
	}
	const path = "/proxy/public/DEFAULT_GROUP/web/x"
	for _, address := range []string{c.registry.address, c.registry.proxyAddress} {
		if status, body := get(address, path, "", ""); status != 401 {
			t.Errorf("nobody: %d %s", status, body)
		}
		if status, body := get(address, path, "", "Bearer "+token); status != 200 || body != "hello from /x" {
			t.Errorf("by path: %d %s", status, body)
		}
		if status, body := get(address, "/y?accessToken="+token, "web.svc.local", "Bearer "+token); status != 200 || body != "hello from /y" {
			t.Errorf("by host: %d %s", status, body)
		}
	}
	if _, body := get(c.registry.address, metricsPath, "", ""); !strings.Contains(body, `troupe_balancer_calls_total{service="public@@DEFAULT_GROUP@@web"`) {
		t.Errorf("metrics: %s", body)
	}
	services := &balancer.Services{Source: &balancer.Troupe{Servers: []string{"http://" + c.registry.address}, Token: token}}
	defer services.Close()
	resp, err := services.Client().Get("http://web/z")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if raw, err := io.ReadAll(resp.Body); err != nil || string(raw) != "hello from /z" {
		t.Errorf("by name: %s, %v", raw, err)
	}
}

func TestProxySettings(t *testing.T) {
	for name, p := range map[string]proxyConfig{
		"a subnet":   {Allow: []string{"127.0.0.1"}},
		"an address": {Listen: "nowhere"},
		"no door":    {Listen: "0.0.0.0:80"},
	} {
		if err := p.check(true); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
