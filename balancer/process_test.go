package balancer

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/balancer/balancertest"
)

const loaded = 100 // requests of each loader, before the harm and after

// TestProcesses: whatever befalls one of three servers while a load runs, no request
// fails that another could answer; and who is not well gets next to nothing after. The
// balancer's clock stands still: how often it tries again later is not looked at.
func TestProcesses(t *testing.T) {
	for _, c := range []struct {
		harm balancertest.Harm
		most int64 // requests that the bad one gets afterwards, to find out
	}{
		{balancertest.Killed, 4 * balancertest.Loaders},
		{balancertest.Stalled, 4 * balancertest.Loaders},
		{balancertest.Slowed, 4 * balancertest.Loaders},
		{balancertest.Failing, 10 * balancertest.Loaders},
	} {
		t.Run(c.harm.Name, func(t *testing.T) {
			t.Parallel()
			all := []*balancertest.Server{balancertest.Start(t), balancertest.Start(t), balancertest.Start(t)}
			var list []Endpoint
			for _, s := range all {
				e, err := ParseEndpoint(s.Address)
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, e)
			}
			services := &Services{Source: Fixed{"web": list}, Config: func(string) Config { return Config{Rule: &RoundRobin{}, Now: newClock().now} }}
			defer services.Close()
			var harmed atomic.Bool
			var after atomic.Int64
			client := &http.Client{Transport: &Transport{
				Services: services, AnswerTime: 5 * time.Second, Statuses: []int{500, 502, 503, 504}, Retry: Retry{Next: 2},
				Interceptors: []Interceptor{func(r *http.Request, s *Server, next func(*http.Request) (*http.Response, error)) (*http.Response, error) {
					if harmed.Load() && s.Address() == all[0].Address {
						after.Add(1)
					}
					return next(r)
				}},
			}}
			balancertest.Load(loaded, func(method string) { mustCall(t, client, method) }, func() {
				c.harm.Befalls(t, all[0])
				harmed.Store(true)
			})
			if n := after.Load(); n > c.most {
				t.Errorf("the bad server got %d requests", n)
			}
		})
	}
}

// mustCall makes a request that may not fail.
func mustCall(t *testing.T, client *http.Client, method string) {
	r, err := http.NewRequestWithContext(t.Context(), method, "http://web/", strings.NewReader("body"))
	if err != nil {
		t.Error(err)
		return
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Errorf("%s: %v", method, err)
		return
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%s: %s", method, resp.Status)
	}
}
