package eureka

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/clustertest"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	roles "github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/gateway/nacos/nacostest"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// nodes are several nodes of one cluster, each with a gateway of its own.
type nodes struct {
	t     *testing.T
	world *clustertest.World
	all   map[string]*member
}

type member struct {
	node *cluster.Node
	api  *API
	end  func()
}

func startNodes(t *testing.T, names ...string) *nodes {
	c := &nodes{t: t, world: clustertest.New(clustertest.Config{Seed: 3, Delay: time.Millisecond, ViewDelay: 5 * time.Millisecond}), all: map[string]*member{}}
	store := mem.New()
	t.Cleanup(func() {
		for name := range c.all {
			c.end(name, false)
		}
		c.world.Close()
	})
	for _, name := range names {
		net := c.world.Join(name, roles.AllRoles)
		n, err := cluster.Start(t.Context(), cluster.Config{
			Name: name, Store: net.Store(store), Kinds: []actors.Kind{service.Spec()}, Log: zerolog.Nop(), Network: net, DrainTimeout: time.Second,
		})
		if err != nil {
			t.Fatal(err)
		}
		feeds, lists := registry.NewFeeds(n.Client()), registry.NewNames(n.Client())
		api, err := New(Config{Cloud: n.Client(), Feeds: feeds, Names: lists, Beats: registry.NewBeats(n.Client()), Auth: nacostest.Anybody{}, Log: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		c.all[name] = &member{n, api, func() { api.Close(); lists.Close(); feeds.Close() }}
	}
	for !c.world.Settled() {
		time.Sleep(time.Millisecond) // of the bubble's clock
	}
	return c
}

// end takes a node away, in order or as kill -9 does.
func (c *nodes) end(name string, killed bool) {
	m := c.all[name]
	delete(c.all, name)
	if killed {
		c.world.Kill(name)
	}
	m.end()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := m.node.Stop(ctx); err != nil && !killed {
		c.t.Error(err)
	}
}

// ask sends a request to one node.
func (c *nodes) ask(name, method, path, body string) (int, string) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", typeJSON)
	r.Header.Set("Accept", typeJSON)
	got := httptest.NewRecorder()
	c.all[name].api.ServeHTTP(got, r)
	return got.Code, got.Body.String()
}

// must waits until a node answers so: while another one dies it may answer 503.
func (c *nodes) must(name, method, path, body string, status int, wants ...string) string {
	c.t.Helper()
	var code int
	var text string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		code, text = c.ask(name, method, path, body)
		has := code == status
		for _, want := range wants {
			has = has && strings.Contains(text, want)
		}
		if has {
			return text
		}
	}
	c.t.Fatalf("%s %s of %s: %d %s, want %d with %q", method, path, name, code, text, status, wants)
	return ""
}

// TestNodes: what one node of a cluster is told, every other shows, with the same
// hash; and after the death of one, instances live on with those that are left.
func TestNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startNodes(t, "a", "b", "c")
		for name := range c.all {
			c.must(name, "GET", "/eureka/apps", "", 200, `"apps__hashcode":""`)
		}
		c.must("a", "POST", "/eureka/apps/BILLING", billing("i", "10.0.0.1", ""), 204)
		c.must("b", "POST", "/eureka/apps/BILLING", billing("j", "10.0.0.2", ""), 204)
		if _, err := c.all["c"].node.Client().Ask(t.Context(), service.Ref("", "", "stock"), &messages.RegisterEndpoints{
			Endpoints: []*messages.Endpoint{{Ip: "10.0.0.9", Port: 80, Weight: 1, Enabled: true, Healthy: true, Persistent: true}}, // as through Nacos
		}); err != nil {
			t.Fatal(err)
		}
		for name := range c.all {
			c.must(name, "GET", "/eureka/apps", "", 200, `"apps__hashcode":"UP_3_"`, `"STOCK"`, `"10.0.0.1"`, `"10.0.0.2"`)
		}
		c.must("c", "PUT", "/eureka/apps/BILLING/i/status?value=OUT_OF_SERVICE", "", 200)
		c.must("c", "PUT", "/eureka/apps/BILLING/j/metadata?zone=east", "", 200)
		for name := range c.all {
			c.must(name, "GET", "/eureka/apps/delta", "", 200, `"apps__hashcode":"OUT_OF_SERVICE_1_UP_2_"`, `"zone":"east"`)
		}

		m, _ := c.world.View().Owner(service.Ref("", "", "BILLING"))
		c.end(m.Name, true)
		var rest []string
		for name := range c.all {
			rest = append(rest, name)
		}
		for n := range 8 { // two minutes: i is renewed, by whichever node, and j is not
			c.must(rest[n%2], "PUT", "/eureka/apps/BILLING/i", "", 200)
			time.Sleep(15 * time.Second)
		}
		for _, name := range rest {
			text := c.must(name, "GET", "/eureka/apps", "", 200, `"apps__hashcode":"OUT_OF_SERVICE_1_UP_1_"`, `"10.0.0.1"`)
			if strings.Contains(text, `"10.0.0.2"`) {
				t.Errorf("%s shows who has not renewed: %s", name, text)
			}
			c.must(name, "PUT", "/eureka/apps/BILLING/j", "", 404)
		}
		c.must(rest[0], "DELETE", "/eureka/apps/BILLING/i", "", 200)
		c.must(rest[1], "GET", "/eureka/apps/BILLING", "", 404)
	})
}
