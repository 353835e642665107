package balancer

import (
	"bytes"
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestProperties(t *testing.T) {
	p, err := FromProperties(map[string]string{
		"ribbon.ReadTimeout":                                            "1000",
		"ribbon.MaxAutoRetriesNextServer":                               "0",
		"shop.ribbon.ReadTimeout":                                       "250",
		"shop.ribbon.MaxAutoRetries":                                    "2",
		"shop.ribbon.MaxAutoRetriesNextServer":                          "3",
		"shop.ribbon.OkToRetryOnAllOperations":                          "TRUE",
		"shop.ribbon.retryableStatusCodes":                              "500, 503",
		"shop.ribbon.listOfServers":                                     "10.0.0.1:80, https://10.0.0.2:443,[::1], h",
		"shop.ribbon.Port":                                              "7001",
		"shop.ribbon.NFLoadBalancerRuleClassName":                       "com.netflix.loadbalancer.AvailabilityFilteringRule",
		"shop.ribbon.ActiveConnectionsLimit":                            "7",
		"shop.ribbon.NFLoadBalancerPingClassName":                       "com.netflix.loadbalancer.PingUrl",
		"shop.ribbon.NFLoadBalancerPingInterval":                        "3",
		"shop.ribbon.NIWSServerListFilterClassName":                     "com.netflix.loadbalancer.ServerListSubsetFilter",
		"shop.ribbon.ServerListSubsetFilter.eliminationFailureThresold": "4",
		"shop.ribbon.EnableZoneAffinity":                                "true",
		"shop.ribbon.zoneAffinity.maxBlackOutServesrPercentage":         "0.5",
		"shop.ribbon.EnablePrimeConnections":                            "true",
		"niws.loadbalancer.shop.connectionFailureCountThreshold":        "5",
		"niws.loadbalancer.default.circuitTripMaxTimeoutSeconds":        "60",
		"@zone":         "z1",
		"somebody.else": "x",
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.Of("shop")
	if err != nil {
		t.Fatal(err)
	}
	if s.Answer != 250*time.Millisecond || s.Retry.Same != 2 || s.Retry.Next != 3 || !s.Retry.All || !slices.Equal(s.Statuses, []int{500, 503}) {
		t.Errorf("retries: %+v", s)
	}
	var at []string
	for i := range s.Servers {
		at = append(at, s.Servers[i].Scheme+" "+s.Servers[i].Address())
	}
	if want := []string{" 10.0.0.1:80", "https 10.0.0.2:443", " [::1]:7001", " h:7001"}; !slices.Equal(at, want) {
		t.Errorf("servers %q", at)
	}
	if rule, ok := s.Config.Rule.(*AvailabilityFiltering); !ok || rule.Limit != 7 {
		t.Errorf("rule %+v", s.Config.Rule)
	}
	filters, ok := s.Config.Filter.(Filters)
	if !ok || len(filters) != 2 || filters[0].(ZoneAffinity).MaxBlackout != 0.5 || filters[1].(*ServerListSubset).MaxFailures != 4 {
		t.Errorf("filter %+v", s.Config.Filter)
	}
	if want := (&Circuit{Threshold: 5, Factor: 10 * time.Second, Max: 60 * time.Second, Refused: time.Second}); !reflect.DeepEqual(s.Config.Circuit, want) {
		t.Errorf("circuit %+v", s.Config.Circuit)
	}
	if s.Config.Zone != "z1" || s.Ping == nil || s.Ping.Every != 3*time.Second || s.Priming == nil || s.Priming.Ratio != 1 {
		t.Errorf("the rest: %+v", s)
	}
	other, _ := p.Of("other")
	if other.Answer != time.Second || other.Retry.Next != -1 || other.Ping != nil || other.Priming != nil || other.Servers != nil {
		t.Errorf("of all: %+v", other)
	}
	if _, ok := other.Config.Rule.(*ZoneAvoidance); !ok {
		t.Errorf("rule of all: %T", other.Config.Rule)
	}
}

func TestBadProperties(t *testing.T) {
	for key, value := range map[string]string{
		"a.ribbon.ReadTimeout": "soon", "ribbon.MaxAutoRetries": "-1", "a.ribbon.NFLoadBalancerRuleClassName": "com.example.MyRule",
		"a.ribbon.NFLoadBalancerPingClassName": "MyPing", "a.ribbon.NIWSServerListFilterClassName": "MyFilter", "a.ribbon.IsSecure": "perhaps",
		"a.ribbon.listOfServers": "x:y", "a.ribbon.retryableStatusCodes": "5xx", "a.ribbon.zoneAffinity.maxLoadPerServer": "NaN",
	} {
		if _, err := FromProperties(map[string]string{key: value}); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s=%s: %v", key, value, err)
		}
	}
}

// TestPropertiesCall: a client that has only settings calls its servers.
func TestPropertiesCall(t *testing.T) {
	b := newBackend(t)
	p, err := FromProperties(map[string]string{"web.ribbon.listOfServers": b.Listener.Addr().String(), "ribbon.EnablePrimeConnections": "true", "ribbon.PrimeConnectionsURI": "/prime"})
	if err != nil {
		t.Fatal(err)
	}
	services, err := p.Services(nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(services.Close)
	if err := services.Prime(t.Context(), "web"); err != nil || b.calls.Load() != 1 {
		t.Fatalf("primed by %d calls: %v", b.calls.Load(), err)
	}
	tr, err := p.Transport(services, "web")
	if err != nil {
		t.Fatal(err)
	}
	if status, body := fetch(t, clientOf(t, tr), "GET", "/x", ""); status != 200 || body != "GET /x" {
		t.Errorf("%d %s", status, body)
	}
	b.Close()
	services.Priming.Tries, services.Priming.Time = 1, 200*time.Millisecond
	if err := services.Prime(context.Background(), "web"); err == nil {
		t.Error("a dead server was primed")
	}
	var text bytes.Buffer
	if err := services.WriteMetrics(&text); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`troupe_balancer_calls_total{service="web",server="` + b.Listener.Addr().String() + `",zone=""} 1`,
		"# TYPE troupe_balancer_response_seconds summary", `quantile="0.99"}`, "troupe_balancer_usable{",
	} {
		if !strings.Contains(text.String(), line) {
			t.Errorf("no %s in\n%s", line, text.String())
		}
	}
}

func FuzzProperties(f *testing.F) {
	f.Add("a.ribbon.listOfServers", "h:1,[::1],https://x")
	f.Add("a.ribbon.NFLoadBalancerRuleClassName", "com.netflix.loadbalancer.RandomRule")
	f.Fuzz(func(_ *testing.T, key, value string) {
		p, _ := FromProperties(map[string]string{key: value})
		s, _ := p.Of("a")
		b := New("a", s.Config)
		defer b.Close()
		b.Update(append(s.Servers, endpoints(3)...))
		_, _ = b.Choose(&Request{})
	})
}

// TestServerListSubset: a few stay, the worst of them are replaced in time.
func TestServerListSubset(t *testing.T) {
	c := newClock()
	f := &ServerListSubset{Size: 10, MaxConnections: 5, MaxFailures: 2, Draw: seeded(1)}
	b := balancerOf(t, Config{Filter: f, Now: c.now}, endpoints(100))
	ids := func() (all []string) {
		for _, s := range b.Set().Servers {
			all = append(all, s.Key())
		}
		return all
	}
	first := ids()
	b.Update(endpoints(100))
	if len(first) != 10 || !slices.Equal(first, ids()) {
		t.Fatalf("%v became %v at once", first, ids())
	}
	bad := b.Set().Servers[3]
	for range 6 {
		b.Begin(bad)
	}
	c.pass(31 * time.Second)
	b.Update(endpoints(100))
	next := ids()
	if len(next) != 10 || slices.Contains(next, bad.Key()) || slices.Equal(first, next) {
		t.Errorf("%v became %v, where %s was the worst", first, next, bad.Key())
	}
	b.Update(endpoints(5))
	if got := len(ids()); got != 5 {
		t.Errorf("%d of 5 are left", got)
	}
}
