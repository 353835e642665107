package proxy

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/gateway/door"

	"github.com/troupe-cloud/troupe/balancer"
)

func TestPaths(t *testing.T) {
	w, b := start(t, loopback), backend(t)
	w.register(t, "web", nil, b.address())
	for target, want := range map[string]string{
		web:                             "/",
		web + "/":                       "/",
		web + "/a%2Fb//c;v=1?q=%20&x;y": "/a%2Fb//c;v=1?q=%20&x;y",
		web + "/x?accessToken=good&a=1": "/x?a=1",
	} {
		if resp, body := w.get(t, http.MethodGet, target, nil); resp.StatusCode != 200 || body != "GET "+want {
			t.Errorf("%s: %d %q, want %q", target, resp.StatusCode, body, want)
		}
	}
	for host, status := range map[string]int{
		"web.svc.local": 200, "WEB.svc.local:8848": 200, "web.default-group.public.svc.local": 200, "other.svc.local": 503,
		"svc.local": http.StatusTeapot, "websvc.local": http.StatusTeapot, "secret.svc.local": 403,
	} {
		resp, body := w.get(t, http.MethodGet, "/by/host", func(r *http.Request) { r.Host = host })
		if resp.StatusCode != status || status == 200 && body != "GET /by/host" {
			t.Errorf("%s: %d %q", host, resp.StatusCode, body)
		}
	}
}

func TestRefused(t *testing.T) {
	w, b := start(t, loopback), backend(t)
	w.register(t, "web", nil, b.address())
	w.register(t, "secret", nil, b.address())
	for name, c := range map[string]struct {
		method, target string
		change         func(*http.Request)
		status         int
	}{
		"nobody":              {"GET", web, func(r *http.Request) { r.Header.Del(door.TokenHeader) }, 401},
		"a bad token":         {"GET", web, func(r *http.Request) { r.Header.Set(door.TokenHeader, "bad") }, 401},
		"no permission":       {"GET", "/proxy/public/DEFAULT_GROUP/secret/", nil, 403},
		"no such service":     {"GET", "/proxy/public/DEFAULT_GROUP/none/", nil, 503},
		"half a name":         {"GET", "/proxy/public/web", nil, 400},
		"trace":               {"TRACE", web, nil, 405},
		"dots":                {"GET", web + "/../secret", nil, 400},
		"escaped dots":        {"GET", web + "/%2e%2e/secret", nil, 400},
		"dots behind a slash": {"GET", web + "/a%2f..%2fb", nil, 400},
		"dots with parameter": {"GET", web + "/..;/b", nil, 400},
		"a backslash":         {"GET", web + "/a%5c..", nil, 400},
		"a loop":              {"GET", web, func(r *http.Request) { r.Header.Set("Via", "1.1 "+w.proxy.via) }, 508},
	} {
		if resp, body := w.get(t, c.method, c.target, c.change); resp.StatusCode != c.status || !strings.Contains(body, `"error"`) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
		}
	}
	if _, n := b.last(); n != 0 {
		t.Errorf("the backend was asked %d times", n)
	}
}

func TestHeaders(t *testing.T) {
	w, b := start(t, loopback), backend(t)
	w.register(t, "web", nil, b.address())
	send := func(change func(http.Header)) http.Header {
		t.Helper()
		if resp, body := w.get(t, http.MethodGet, web+"/h", func(r *http.Request) { change(r.Header) }); resp.StatusCode != 200 {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
		r, _ := b.last()
		return r.Header
	}
	h := send(func(h http.Header) {
		for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "Forwarded", "X-Real-IP", "Proxy", "X-Troupe-Other", "X-Original-URL"} {
			h.Set(name, "evil")
		}
		h["X_Forwarded_For"] = []string{"evil"}
		h.Set("Connection", "X-Hop, keep-alive")
		h.Set("X-Hop", "1")
		h.Set("Keep-Alive", "1")
		h.Set("Proxy-Authorization", "1")
		h.Set("Te", "gzip")
		h.Set("Authorization", "Basic dGhlaXI6cw==") // another's, beside the token
		h.Set("Accesstoken", "good")
		h.Set("X-Mine", "stays")
	})
	for name, values := range h {
		if strings.Contains(strings.Join(values, ""), "evil") || strings.Contains(strings.Join(values, ""), "good") {
			t.Errorf("%s: %q came through", name, values)
		}
	}
	host := strings.TrimPrefix(w.front.URL, "http://")
	for name, want := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": host, "X-Forwarded-Proto": "http", "X-Forwarded-Prefix": web,
		"Forwarded": `for="127.0.0.1";host="` + host + `";proto=http`, "Via": "1.1 " + w.proxy.via,
		"Authorization": "Basic dGhlaXI6cw==", "X-Mine": "stays", "X-Hop": "", "Proxy-Authorization": "", "Te": "", "Keep-Alive": "", "X-Troupe-Token": "",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, ours := range []string{"Bearer good", "Bearer old", "Basic dTpw"} {
		h := send(func(h http.Header) {
			h.Set("Authorization", ours)
			if strings.HasPrefix(ours, "Basic") {
				h.Del(door.TokenHeader)
			}
		})
		if h.Get("Authorization") != "" {
			t.Errorf("%q came through", ours)
		}
	}
	if h := send(func(h http.Header) { h.Set("Authorization", "Bearer theirs") }); h.Get("Authorization") != "Bearer theirs" {
		t.Error("the backend's own bearer token was lost")
	}
	if h := send(func(h http.Header) {
		h.Set("Connection", "Upgrade")
		h.Set("Upgrade", "h2c")
		h.Set("Http2-Settings", "AAMAAABkAAQAAP__")
	}); h.Get("Upgrade") != "" || h.Get("Connection") != "" {
		t.Errorf("an upgrade to another protocol went on: %v", h)
	}
	resp, _ := w.get(t, http.MethodGet, web+"/headers", nil)
	for _, name := range []string{"X-Private", "X-Troupe-Secret", "Service-Worker-Allowed"} {
		if resp.Header.Get(name) != "" {
			t.Errorf("%s came back", name)
		}
	}
	if resp, _ := w.get(t, http.MethodGet, web+"/redirect", nil); resp.Header.Get("Location") != web+"/elsewhere?x=1" {
		t.Errorf("redirected to %q", resp.Header.Get("Location"))
	}
}

// TestSettings: what a service's metadata says counts, and what it says wrongly does
// not.
func TestSettings(t *testing.T) {
	for name, c := range map[string]struct {
		meta    map[string]string
		next    int
		timeout time.Duration
		rule    string
		wrong   bool
	}{
		"nothing":  {nil, defaultRetries, defaultTimeout, "", false},
		"all":      {map[string]string{balancer.RuleKey: "com.netflix.loadbalancer.RandomRule", balancer.RetriesKey: "0", balancer.TimeoutKey: "2s"}, -1, 2 * time.Second, "com.netflix.loadbalancer.RandomRule", false},
		"nonsense": {map[string]string{balancer.RuleKey: "x", balancer.RetriesKey: "11", balancer.TimeoutKey: "-1s"}, defaultRetries, defaultTimeout, "", true},
	} {
		s, err := settingsOf(c.meta)
		if s.next() != c.next || s.answerTime() != c.timeout || s.Rule != c.rule || (err != nil) != c.wrong {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

func TestTimeout(t *testing.T) {
	w := start(t, loopback)
	done := make(chan struct{})
	stalled := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-done }))
	defer stalled.Close()
	defer close(done)
	w.register(t, "web", map[string]string{balancer.TimeoutKey: "50ms"}, stalled.Listener.Addr().String())
	if resp, body := w.get(t, http.MethodGet, web, nil); resp.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// TestReach: addresses of this machine, its link and its provider are not reached,
// however they are written.
func TestReach(t *testing.T) {
	for address, ok := range map[string]bool{
		"10.0.0.1:80": true, "192.168.1.1:80": true, "[fd00::1]:80": true, "[2606:4700::1]:443": true, "100.64.0.1:80": true,
		"127.0.0.1:80": false, "127.9.9.9:80": false, "0.0.0.0:80": false, "169.254.169.254:80": false, "100.100.100.200:80": false, "192.0.0.192:80": false,
		"224.0.0.1:80": false, "255.255.255.255:80": false, "240.0.0.1:80": false, "[::]:80": false, "[::1]:80": false, "[fe80::1%eth0]:80": false,
		"[ff02::1]:80": false, "[fd00:ec2::254]:80": false, "[::ffff:127.0.0.1]:80": false, "[::ffff:a9fe:a9fe]:80": false, "[64:ff9b::7f00:1]:80": false,
		"[64:ff9b::a00:1]:80": true, "[2002:7f00:1::]:80": false, "[::7f00:1]:80": false, "[2001:0:1::]:80": false, "localhost:80": false, "x": false,
	} {
		if err := (guard{}).check(address); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
	w, b := start(t), backend(t)
	_, port, _ := strings.Cut(b.address(), ":")
	w.register(t, "web", nil, b.address())
	w.register(t, "named", nil, "localhost:"+port)
	for _, path := range []string{web, "/proxy/public/DEFAULT_GROUP/named/"} {
		if resp, body := w.get(t, http.MethodGet, path, nil); resp.StatusCode != http.StatusBadGateway || !strings.Contains(body, "may be reached") {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	if _, n := b.last(); n != 0 {
		t.Errorf("the backend was asked %d times", n)
	}
}

func FuzzPath(f *testing.F) {
	f.Add("/proxy/public/g/web/a/../b", "web.svc.local")
	f.Add("/proxy/%2e%2e/g/web/%2f..", "a.b.c.d.svc.local:1")
	w := &Proxy{cfg: Config{Domain: "svc.local"}, via: "troupe-x"}
	f.Fuzz(func(t *testing.T, path, host string) {
		r, err := http.NewRequest(http.MethodGet, "http://h/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Path, r.Host = path, host
		if w.Owns(r) && acceptable(r, w.via) == nil && strings.Contains(r.URL.Path, "/../") {
			t.Errorf("%q goes on", path)
		}
		if name, ok := w.host(host); ok {
			_ = door.Check(split(name))
		}
	})
}
