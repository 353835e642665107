package proxy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/gateway/door"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// accounts has one user, who may read all but secret.
type accounts struct{}

func (accounts) Identify(_ context.Context, c api.Credentials) (*api.User, error) {
	if c.Token != "good" && c.Password != "p" {
		return nil, fmt.Errorf("no: %w", messages.Denied)
	}
	return api.NewUser("u", false, func(r api.Resource, to api.Action) bool { return to == api.Read && r.Name != "secret" }), nil
}

// world is a proxy over a real registry.
type world struct {
	client *cluster.Client
	proxy  *Proxy
	front  *httptest.Server
}

func start(t testing.TB, allow ...string) *world {
	t.Helper()
	return startWith(t, nil, allow...)
}

func startWith(t testing.TB, guests drivers.GuestDialer, allow ...string) *world {
	t.Helper()
	return startFront(t, time.Minute, guests, allow...)
}

// startHasty has a front that soon closes a connection after an answer, for tests that
// wait for its end.
func startHasty(t testing.TB, allow ...string) *world {
	t.Helper()
	return startFront(t, 500*time.Millisecond, nil, allow...)
}

func startFront(t testing.TB, idleTime time.Duration, guests drivers.GuestDialer, allow ...string) *world {
	t.Helper()
	node, err := cluster.Start(context.Background(), cluster.Config{Name: "test", Store: mem.New(), Kinds: []actors.Kind{service.Spec()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Stop(context.Background()) })
	w := &world{client: node.Client()}
	feeds := registry.NewFeeds(w.client)
	t.Cleanup(feeds.Close)
	cfg := Config{
		Door:  &door.Door{Auth: accounts{}, Signed: func(_ context.Context, s string) bool { return s == "good" || s == "old" }},
		Feeds: feeds, Domain: "svc.local", Log: zerolog.Nop(), Guests: guests,
	}
	for _, a := range allow {
		cfg.Allow = append(cfg.Allow, netip.MustParsePrefix(a))
	}
	if w.proxy, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.proxy.Close)
	w.front = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !w.proxy.Owns(r) {
			rw.WriteHeader(http.StatusTeapot)
			return
		}
		w.proxy.ServeHTTP(rw, r)
	}))
	w.front.Config.Protocols = new(http.Protocols)
	w.front.Config.Protocols.SetHTTP1(true)
	w.front.Config.Protocols.SetUnencryptedHTTP2(true)
	w.front.Config.IdleTimeout = idleTime
	w.front.Start()
	t.Cleanup(w.front.Close)
	return w
}

const loopback = "127.0.0.0/8"

// register has addresses HOST:PORT serve under a name.
func (w *world) register(t testing.TB, name string, meta map[string]string, addresses ...string) {
	t.Helper()
	ref := service.Ref("public", "DEFAULT_GROUP", name)
	if meta != nil {
		if _, err := w.client.Ask(t.Context(), ref, &messages.SetService{Persistent: true, Metadata: meta, MetadataSet: true}); err != nil {
			t.Fatal(err)
		}
	}
	m := &messages.RegisterEndpoints{}
	for _, a := range addresses {
		host, port, err := net.SplitHostPort(a)
		if err != nil {
			t.Fatal(err)
		}
		n, _ := strconv.Atoi(port)
		m.Endpoints = append(m.Endpoints, &messages.Endpoint{Ip: host, Port: int32(n), Cluster: "DEFAULT", Weight: 1, Enabled: true, Healthy: true, Persistent: true})
	}
	if _, err := w.client.Ask(t.Context(), ref, m); err != nil {
		t.Fatal(err)
	}
}

// seen keeps what a backend was asked.
type seen struct {
	*httptest.Server
	mu   sync.Mutex
	all  []*http.Request
	body []string
}

// backend is a server that keeps what it was asked, and answers by the path.
func backend(t testing.TB) *seen {
	s := &seen{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			raw = []byte("broken: " + err.Error())
		}
		s.mu.Lock()
		s.all, s.body = append(s.all, r), append(s.body, string(raw))
		s.mu.Unlock()
		switch {
		case strings.HasPrefix(r.URL.Path, "/redirect"):
			w.Header().Set("Location", "/elsewhere?x=1")
			w.WriteHeader(http.StatusFound)
			return
		case r.URL.Path == "/headers":
			w.Header().Set("Connection", "X-Private")
			w.Header().Set("X-Private", "1")
			w.Header().Set("X-Troupe-Secret", "1")
			w.Header().Set("Service-Worker-Allowed", "/")
		}
		_, _ = fmt.Fprintf(w, "%s %s", r.Method, r.RequestURI)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *seen) address() string { return s.Listener.Addr().String() }

// last is the last request, and how many there were.
func (s *seen) last() (*http.Request, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) == 0 {
		return nil, 0
	}
	return s.all[len(s.all)-1], len(s.all)
}

// get asks the proxy.
func (w *world) get(t testing.TB, method, target string, change func(*http.Request)) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, w.front.URL+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(door.TokenHeader, "good")
	if change != nil {
		change(r)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(raw)
}

const web = "/proxy/public/DEFAULT_GROUP/web"
