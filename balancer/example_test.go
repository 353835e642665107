package balancer_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/troupe-cloud/troupe/balancer"
)

// A program that calls a service by its name: which servers there are the registry
// says, and tells of each change.
func Example() {
	services := &balancer.Services{Source: &balancer.Troupe{
		Servers: []string{"http://127.0.0.1:8848"}, User: "shop", Password: os.Getenv("SHOP_PASSWORD"),
	}}
	defer services.Close()
	resp, err := services.Client().Get("http://web/hello")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	_, _ = io.Copy(os.Stdout, resp.Body)
}

// Servers that are known from elsewhere, and a rule by name.
func ExampleServices_Client() {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "hello from "+r.URL.Path)
	}))
	defer web.Close()
	e, err := balancer.ParseEndpoint(web.Listener.Addr().String())
	if err != nil {
		panic(err)
	}
	services := &balancer.Services{
		Source: balancer.Fixed{"web": {e}},
		Config: func(string) balancer.Config { return balancer.Config{Rule: &balancer.PeakEWMA{}} },
	}
	defer services.Close()
	resp, err := services.Client().Get("http://web/path")
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(os.Stdout, resp.Body)
	// Output: hello from /path
}

// Calls of any kind are balanced by Do.
func ExampleBalancer_Do() {
	b := balancer.New("db", balancer.Config{Rule: &balancer.RoundRobin{}})
	defer b.Close()
	b.Update([]balancer.Endpoint{{Host: "10.0.0.1", Port: 5432, Weight: 1}, {Host: "10.0.0.2", Port: 5432, Weight: 1}})
	tries := 0
	err := b.Do(context.Background(), balancer.Retry{}, true, func(_ context.Context, s *balancer.Server) error {
		if tries++; tries == 1 {
			return balancer.Bad(fmt.Errorf("%s is busy", s.Address()))
		}
		return nil
	})
	fmt.Println(tries, err)
	// Output: 2 <nil>
}

// Ribbon's settings go on to work.
func ExampleFromProperties() {
	p, err := balancer.FromProperties(map[string]string{
		"shop.ribbon.listOfServers":               "10.0.0.1:8080,10.0.0.2:8080",
		"shop.ribbon.NFLoadBalancerRuleClassName": "com.netflix.loadbalancer.WeightedResponseTimeRule",
		"ribbon.ReadTimeout":                      "1000",
	})
	if err != nil {
		panic(err)
	}
	s, err := p.Of("shop")
	if err != nil {
		panic(err)
	}
	rule := fmt.Sprintf("%T", s.Config.Rule)
	fmt.Println(strings.TrimPrefix(rule, "*balancer."), len(s.Servers), s.Answer)
	// Output: WeightedResponseTime 2 1s
}

// first is a rule of one's own.
type first struct{}

func (first) Choose(set *balancer.Set, _ *balancer.Request) *balancer.Server { return set.Servers[0] }

// A rule is one method.
func ExampleRule() {
	b := balancer.New("web", balancer.Config{Rule: first{}})
	defer b.Close()
	b.Update([]balancer.Endpoint{{Host: "10.0.0.2", Port: 80, Weight: 1}, {Host: "10.0.0.1", Port: 80, Weight: 1}})
	s, err := b.Choose(&balancer.Request{})
	fmt.Println(s.Address(), err)
	// Output: 10.0.0.1:80 <nil>
}
