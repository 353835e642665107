package proxy

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/balancer"
	"github.com/troupe-cloud/troupe/balancer/balancertest"
	"github.com/troupe-cloud/troupe/gateway/door"
	"github.com/troupe-cloud/troupe/messages/leaktest"
)

func TestMain(m *testing.M) {
	balancertest.Serve()
	leaktest.Main(m)
}

const loaded = 60 // requests of each loader, before the harm and after

// TestProcesses: what befalls one of three servers is not seen through the proxy by
// those whose requests may be made twice.
func TestProcesses(t *testing.T) {
	for _, harm := range []balancertest.Harm{balancertest.Killed, balancertest.Stalled, balancertest.Slowed, balancertest.Failing} {
		t.Run(harm.Name, func(t *testing.T) {
			t.Parallel()
			w, bad := start(t, loopback), balancertest.Start(t)
			w.register(t, "web", map[string]string{balancer.TimeoutKey: "5s", balancer.RuleKey: "round-robin"},
				bad.Address, balancertest.Start(t).Address, balancertest.Start(t).Address)
			base := &http.Transport{MaxIdleConnsPerHost: balancertest.Loaders}
			defer base.CloseIdleConnections()
			balancertest.Load(loaded, func(method string) { w.call(t, base, method) }, func() { harm.Befalls(t, bad) })
		})
	}
}

// call makes a request that may not fail.
func (w *world) call(t *testing.T, base *http.Transport, method string) {
	r, err := http.NewRequestWithContext(t.Context(), method, w.front.URL+web, strings.NewReader("body"))
	if err != nil {
		t.Error(err)
		return
	}
	r.Header.Set(door.TokenHeader, "good")
	resp, err := base.RoundTrip(r)
	if err != nil {
		t.Error(err)
		return
	}
	raw, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%s: %s %s", method, resp.Status, raw)
	}
}

// TestSlowReader: a body that comes slowly is waited for, and one that stops is not
// for ever; the endpoint is not blamed for either.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	w, b := start(t, loopback), backend(t)
	w.register(t, "web", map[string]string{balancer.TimeoutKey: "8s"}, b.address())
	in, out := io.Pipe()
	go func() {
		for range 3 { // as slow as some clients are: for longer than the endpoint has
			_, _ = out.Write([]byte("piece"))
			<-time.After(3 * time.Second)
		}
		_ = out.Close()
	}()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.front.URL+web, in)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(door.TokenHeader, "good")
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || b.body[0] != "piecepiecepiece" {
		t.Errorf("%s %q", resp.Status, b.body)
	}
}
