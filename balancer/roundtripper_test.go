package balancer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// backend is a real server that may be made to misbehave.
type backend struct {
	*httptest.Server
	calls  atomic.Int64
	status atomic.Int64  // to answer with; 0: 200
	stall  chan struct{} // closed when it may answer again; nil: it answers
	mu     sync.Mutex
	bodies []string
}

func newBackend(t testing.TB) *backend {
	b := &backend{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.calls.Add(1)
		raw, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		stall := b.stall
		b.bodies = append(b.bodies, string(raw))
		b.mu.Unlock()
		if stall != nil {
			select {
			case <-stall:
			case <-r.Context().Done():
			}
		}
		w.Header().Set("X-Host", r.Host)
		if s := b.status.Load(); s != 0 {
			w.WriteHeader(int(s))
		}
		_, _ = fmt.Fprintf(w, "%s %s", r.Method, r.URL.Path)
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *backend) hang(t testing.TB) {
	stall := make(chan struct{})
	b.mu.Lock()
	b.stall = stall
	b.mu.Unlock()
	t.Cleanup(func() { close(stall) })
}

func (b *backend) endpoint(t testing.TB) Endpoint {
	u, err := url.Parse(b.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return Endpoint{Host: u.Hostname(), Port: port, Weight: 1}
}

// servicesOf balances "web" over backends.
func servicesOf(t testing.TB, c Config, backends ...*backend) *Services {
	var list []Endpoint
	for _, b := range backends {
		list = append(list, b.endpoint(t))
	}
	s := &Services{Source: Fixed{"web": list}, Config: func(string) Config { return c }}
	t.Cleanup(s.Close)
	return s
}

func clientOf(t testing.TB, tr *Transport) *http.Client {
	base := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(base.CloseIdleConnections)
	if tr.Base == nil {
		tr.Base = base
	}
	return &http.Client{Transport: tr}
}

func fetch(t testing.TB, c *http.Client, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://web"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

// TestByName: a URL with a service's name reaches its servers, one after the other.
func TestByName(t *testing.T) {
	one, two := newBackend(t), newBackend(t)
	c := clientOf(t, &Transport{Services: servicesOf(t, Config{Rule: &RoundRobin{}}, one, two)})
	for range 10 {
		if status, body := fetch(t, c, http.MethodGet, "/path?q=1", ""); status != http.StatusOK || body != "GET /path" {
			t.Errorf("got %d %q", status, body)
		}
	}
	if one.calls.Load() != 5 || two.calls.Load() != 5 {
		t.Errorf("%d and %d calls", one.calls.Load(), two.calls.Load())
	}
	resp, err := c.Get(one.URL + "/as-it-is")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if _, err := c.Get("http://unknown/"); !errors.Is(err, ErrNoServer) {
		t.Errorf("a service without servers: %v", err)
	}
}

// TestSaved: no request fails that another server could answer, whatever is wrong
// with one of three. The balancer's clock stands still: a bad one is not tried again.
func TestSaved(t *testing.T) {
	for _, c := range []struct {
		name   string
		harm   func(t *testing.T, b *backend)
		method string
		most   int64 // calls that the bad one gets of 60
	}{
		{"killed", func(_ *testing.T, b *backend) { b.Close() }, http.MethodGet, 0},
		{"killed, requests that change", func(_ *testing.T, b *backend) { b.Close() }, http.MethodPost, 0},
		{"stalled", func(t *testing.T, b *backend) { b.hang(t) }, http.MethodGet, 4},
		{"unwell", func(_ *testing.T, b *backend) { b.status.Store(http.StatusServiceUnavailable) }, http.MethodGet, 6},
		{"broken", func(_ *testing.T, b *backend) { b.status.Store(http.StatusInternalServerError) }, http.MethodPut, 6},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			bad, good, fine := newBackend(t), newBackend(t), newBackend(t)
			services := servicesOf(t, Config{Rule: &RoundRobin{}, Now: newClock().now}, bad, good, fine)
			tr := &Transport{Services: services, Statuses: []int{500, 502, 503, 504}, AnswerTime: time.Minute}
			if c.name == "stalled" {
				tr.AnswerTime = 3 * time.Second
			}
			client := clientOf(t, tr)
			c.harm(t, bad)
			before := bad.calls.Load()
			for i := range 60 {
				if status, body := fetch(t, client, c.method, "/", fmt.Sprint("body ", i)); status != http.StatusOK {
					t.Fatalf("request %d: %d %q", i, status, body)
				}
			}
			if got := bad.calls.Load() - before; got > c.most {
				t.Errorf("the bad server got %d calls, at most %d were needed to see it", got, c.most)
			}
			seen := map[string]bool{}
			for _, b := range []*backend{good, fine} {
				for _, body := range b.bodies {
					seen[body] = true
				}
			}
			if len(seen) != 60 {
				t.Errorf("%d of 60 bodies arrived whole", len(seen))
			}
		})
	}
}

// TestNotTwice: what may change something is not made again once a server has it.
func TestNotTwice(t *testing.T) {
	t.Parallel()
	bad, good := newBackend(t), newBackend(t)
	bad.hang(t)
	services := servicesOf(t, Config{Rule: &RoundRobin{}}, bad, good)
	client := clientOf(t, &Transport{Services: services, AnswerTime: 5 * time.Second})
	failed := 0
	for range 2 {
		resp, err := client.Post("http://web/", "text/plain", strings.NewReader("x"))
		if err != nil {
			failed++
			continue
		}
		_ = resp.Body.Close()
	}
	if failed != 1 || good.calls.Load() != 1 {
		t.Errorf("%d of 2 failed, and the good one has %d calls; one each was wanted", failed, good.calls.Load())
	}
	if got := (&Transport{Retry: Retry{All: true}}); !got.Retry.All {
		t.Error("OkToRetryOnAllOperations is lost")
	}
}

// TestBudget: repetitions stay within their share of all calls.
func TestBudget(t *testing.T) {
	one, two := newBackend(t), newBackend(t)
	one.status.Store(503)
	two.status.Store(503)
	services := servicesOf(t, Config{Rule: &RoundRobin{}, Outliers: &Outliers{}}, one, two)
	client := clientOf(t, &Transport{Services: services, Retry: Retry{Budget: NewBudget(0.2, 0)}})
	const n = 100
	for range n {
		if status, _ := fetch(t, client, http.MethodGet, "/", ""); status != 503 {
			t.Fatalf("got %d", status)
		}
	}
	if got := one.calls.Load() + two.calls.Load(); got > n+n/5 {
		t.Errorf("%d calls for %d requests, with a budget for a fifth more", got, n)
	}
}

// TestHedged: a slow server does not make its caller slow; the slower answer is
// given up.
func TestHedged(t *testing.T) {
	slow, fast := newBackend(t), newBackend(t)
	services := servicesOf(t, Config{Rule: &RoundRobin{}}, slow, fast)
	client := clientOf(t, &Transport{Services: services, Hedge: Hedge{Quantile: 0.9, Least: 5 * time.Millisecond}})
	for range 20 { // to know how long it takes
		fetch(t, client, http.MethodGet, "/", "")
	}
	slow.hang(t)
	for i := range 6 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://web/", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		_ = resp.Body.Close()
	}
}

// TestInterceptors see and change requests, answers and the endpoint.
func TestInterceptors(t *testing.T) {
	b := newBackend(t)
	var order []string
	note := func(name string) Interceptor {
		return func(r *http.Request, s *Server, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
			order = append(order, name+" to "+s.Address())
			r.URL.Path += "/" + name
			resp, err := next(r)
			order = append(order, name+" back")
			return resp, err
		}
	}
	client := clientOf(t, &Transport{Services: servicesOf(t, Config{}, b), Interceptors: []Interceptor{note("a"), note("b")}})
	if _, body := fetch(t, client, http.MethodGet, "/x", ""); body != "GET /x/a/b" {
		t.Errorf("got %q", body)
	}
	addr := b.Listener.Addr().String()
	if got, want := strings.Join(order, ", "), "a to "+addr+", b to "+addr+", b back, a back"; got != want {
		t.Errorf("order %q, want %q", got, want)
	}
}

// TestLargeBody: what cannot be kept is sent once.
func TestLargeBody(t *testing.T) {
	b := newBackend(t)
	client := clientOf(t, &Transport{Services: servicesOf(t, Config{}, b)})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://web/", io.LimitReader(zeros{}, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if len(b.bodies) != 1 || len(b.bodies[0]) != 1<<20 {
		t.Errorf("%d bodies arrived", len(b.bodies))
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestSnapshot: with a registry that does not answer, calls begin with the last
// list.
func TestSnapshot(t *testing.T) {
	b := newBackend(t)
	dir := t.TempDir()
	first := servicesOf(t, Config{}, b)
	first.Snapshots = dir
	if _, err := first.Get(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	first.Close()
	second := &Services{Source: silent{}, Snapshots: dir}
	t.Cleanup(second.Close)
	if _, body := fetch(t, clientOf(t, &Transport{Services: second}), http.MethodGet, "/", ""); body != "GET /" {
		t.Errorf("got %q", body)
	}
}

type silent struct{}

func (silent) Watch(ctx context.Context, _ string, _ func([]Endpoint)) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestPings take out who does not answer, and bring back who does again.
func TestPings(t *testing.T) {
	b, gone := newBackend(t), newBackend(t)
	gone.status.Store(500)
	services := servicesOf(t, Config{Panic: -1}, b, gone)
	services.Ping = &Pinging{Ping: PingHTTP("/health", "GET /health"), Every: 5 * time.Millisecond}
	of, err := services.Get(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	await := func(n int) {
		t.Helper()
		changed := make(chan struct{}, 100)
		of.Watch(func(*Set) { changed <- struct{}{} })
		for len(of.Set().Servers) != n {
			select {
			case <-changed:
			case <-t.Context().Done():
				t.Fatal(t.Context().Err())
			}
		}
	}
	await(1)
	gone.status.Store(0)
	await(2)
}

// TestDo: calls of any kind go the same way.
func TestDo(t *testing.T) {
	b := balancerOf(t, Config{Rule: &RoundRobin{}}, endpoints(3))
	var went []*Server
	err := b.Do(t.Context(), Retry{Next: 2}, true, func(_ context.Context, s *Server) error {
		if went = append(went, s); len(went) < 3 {
			return Bad(errors.New("busy"))
		}
		return nil
	})
	if err != nil || len(went) != 3 || went[0] == went[1] || went[1] == went[2] || went[0] == went[2] {
		t.Errorf("%v after %d tries", err, len(went))
	}
	refusal := &net.OpError{Op: "dial", Err: errors.New("no route")}
	tries := 0
	err = b.Do(t.Context(), Retry{}, false, func(context.Context, *Server) error { tries++; return refusal })
	if !errors.Is(err, refusal) || tries != 2 {
		t.Errorf("what nobody took was tried %d times: %v", tries, err)
	}
	own := errors.New("no such user")
	tries = 0
	if err := b.Do(t.Context(), Retry{}, true, func(context.Context, *Server) error { tries++; return own }); !errors.Is(err, own) || tries != 1 {
		t.Errorf("the caller's own error was tried %d times: %v", tries, err)
	}
}
