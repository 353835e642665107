package balancer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/troupe-cloud/troupe/cluster/consultest"
)

// lists follows a source until the test ends.
func lists(t *testing.T, s Source, service string) <-chan []Endpoint {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, done := make(chan []Endpoint, 100), make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if err := s.Watch(ctx, service, func(list []Endpoint) { out <- list }); err != nil && ctx.Err() == nil {
				t.Logf("watch: %v", err)
				pauseFor(ctx, 10*time.Millisecond)
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	return out
}

// await waits for a list that is as wanted.
func await(t *testing.T, from <-chan []Endpoint, want func([]Endpoint) bool) []Endpoint {
	t.Helper()
	for {
		select {
		case list := <-from:
			if want(list) {
				return list
			}
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}

func some(list []Endpoint) bool { return len(list) > 0 }

func TestFileSource(t *testing.T) {
	path := filepath.Join(t.TempDir(), "services.json")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"web": ["10.0.0.1:80", {"Host": "10.0.0.2", "Port": 81, "Zone": "b", "Weight": 3}]}`)
	got := lists(t, File{path, time.Millisecond}, "web")
	want := []Endpoint{{Host: "10.0.0.1", Port: 80, Weight: 1}, {Host: "10.0.0.2", Port: 81, Zone: "b", Weight: 3}}
	if list := await(t, got, some); !reflect.DeepEqual(list, want) {
		t.Errorf("got %+v, want %+v", list, want)
	}
	write(`{"web": ["https://[::1]:443"]}`)
	list := await(t, got, func(l []Endpoint) bool { return len(l) == 1 })
	if e := list[0]; e.Host != "::1" || e.Port != 443 || e.Scheme != "https" {
		t.Errorf("got %+v", e)
	}
}

func FuzzLists(f *testing.F) {
	f.Add([]byte(`{"a": ["10.0.0.1:80", {"Host": "h", "Port": 1}]}`))
	f.Add([]byte(`{"a": [1]}`))
	f.Fuzz(func(_ *testing.T, raw []byte) {
		lists, err := parseLists(raw)
		if err != nil {
			return
		}
		b := New("a", Config{})
		defer b.Close()
		for _, list := range lists {
			b.Update(list)
		}
	})
}

// TestNacosSource: what a Nacos answers, as server 2.5.1 writes it.
func TestNacosSource(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.URL.Path != "/nacos/v1/ns/instance/list" || q.Get("serviceName") != "web" || q.Get("namespaceId") != "ns" || q.Get("username") != "u" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = w.Write([]byte(`{"name":"DEFAULT_GROUP@@web","cacheMillis":10000,"hosts":[
			{"ip":"10.0.0.1","port":80,"weight":2.5,"healthy":true,"enabled":true,"clusterName":"c1","metadata":{"k":"v"}},
			{"ip":"10.0.0.2","port":80,"weight":1,"healthy":false,"enabled":true,"clusterName":"c1","metadata":{"zone":"z"}}]}`))
	}))
	defer s.Close()
	dead := httptest.NewServer(nil)
	dead.Close()
	source := &Nacos{Servers: []string{dead.URL, s.URL}, Namespace: "ns", User: "u", Password: "p", Every: time.Hour}
	want := []Endpoint{
		{Host: "10.0.0.1", Port: 80, Weight: 2.5, Zone: "c1", Metadata: map[string]string{"k": "v"}},
		{Host: "10.0.0.2", Port: 80, Weight: 1, Zone: "z", Down: true, Metadata: map[string]string{"zone": "z"}},
	}
	if list := await(t, lists(t, source, "web"), some); !reflect.DeepEqual(list, want) {
		t.Errorf("got %+v, want %+v", list, want)
	}
	wrong := &Nacos{Servers: []string{s.URL}, Password: "secret", Token: "secret"}
	err := wrong.Watch(t.Context(), "web", nil)
	var status errStatus
	if !errors.As(err, &status) || status != http.StatusForbidden {
		t.Errorf("refused: %v", err)
	}
}

// TestEurekaSource: a single instance is no list in Eureka's JSON; ports are text or
// numbers.
func TestEurekaSource(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/eureka/vips/web":
			_, _ = w.Write([]byte(`{"applications":{"versions__delta":"1","application":{"name":"WEB","instance":{
				"instanceId":"i1","hostName":"h1","ipAddr":"10.0.0.1","status":"UP","port":{"$":8080,"@enabled":"true"},
				"securePort":{"$":"8443","@enabled":"true"},"metadata":{"@class":"java.util.Collections$EmptyMap","zone":"z1"}}}}}`))
		case "/eureka/apps/WEB":
			_, _ = w.Write([]byte(`{"application":{"name":"WEB","instance":[
				{"instanceId":"i1","ipAddr":"10.0.0.1","status":"DOWN","port":{"$":8080}},{"instanceId":"i2","hostName":"h2","status":"UP","port":{"$":81}}]}}`))
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer s.Close()
	one := await(t, lists(t, &Eureka{Servers: []string{s.URL + "/eureka"}, Secure: true}, "web"), some)
	if e := one[0]; len(one) != 1 || e.Address() != "10.0.0.1:8443" || e.Scheme != "https" || e.Zone != "z1" || e.Down {
		t.Errorf("got %+v", one)
	}
	two := await(t, lists(t, &Eureka{Servers: []string{s.URL + "/eureka"}, App: true}, "WEB"), some)
	if len(two) != 2 || !two[0].Down || two[1].Address() != "h2:81" || two[1].Down {
		t.Errorf("got %+v", two)
	}
	if none := await(t, lists(t, &Eureka{Servers: []string{s.URL + "/eureka"}}, "other"), func([]Endpoint) bool { return true }); len(none) != 0 {
		t.Errorf("an unknown service has %+v", none)
	}
}

func FuzzEureka(f *testing.F) {
	f.Add([]byte(`{"applications":{"application":{"instance":{"port":{"$":"1"}}}}}`))
	f.Fuzz(func(_ *testing.T, raw []byte) {
		var apps eurekaApps
		if json.Unmarshal(raw, &apps) != nil {
			return
		}
		for _, app := range apps.Applications.Application {
			for i := range app.Instance {
				(&Eureka{Secure: true}).endpoint(&app.Instance[i])
			}
		}
	})
}

// TestConsulSource: a real Consul tells of a service that comes, and of one whose
// check fails.
func TestConsulSource(t *testing.T) {
	c := consultest.Start(t, consultest.Options{Dev: true})
	got := lists(t, &Consul{Servers: []string{"http://" + c.Addr()}}, "web")
	agent := c.Client(0).Agent()
	if err := agent.ServiceRegister(&api.AgentServiceRegistration{
		ID: "web-1", Name: "web", Address: "10.0.0.1", Port: 80, Meta: map[string]string{"zone": "z1"},
		Weights: &api.AgentWeights{Passing: 7, Warning: 1},
		Check:   &api.AgentServiceCheck{CheckID: "web-1", TTL: "1h", Status: "passing"},
	}); err != nil {
		t.Fatal(err)
	}
	list := await(t, got, func(l []Endpoint) bool { return len(l) == 1 && !l[0].Down })
	if e := list[0]; e.ID != "web-1" || e.Address() != "10.0.0.1:80" || e.Zone != "z1" || e.Weight != 7 {
		t.Errorf("got %+v", e)
	}
	if err := agent.UpdateTTL("web-1", "", "critical"); err != nil {
		t.Fatal(err)
	}
	await(t, got, func(l []Endpoint) bool { return len(l) == 1 && l[0].Down })
	if err := agent.ServiceDeregister("web-1"); err != nil {
		t.Fatal(err)
	}
	await(t, got, func(l []Endpoint) bool { return len(l) == 0 })
}

// TestFirstSource: the first that knows a server is believed.
func TestFirstSource(t *testing.T) {
	a, b := Fixed{"one": endpoints(1)}, Fixed{"one": endpoints(2), "two": endpoints(3)}
	for service, want := range map[string]int{"one": 1, "two": 3} {
		await(t, lists(t, First{a, b}, service), func(l []Endpoint) bool { return len(l) == want })
	}
}

func TestParseEndpoint(t *testing.T) {
	for text, want := range map[string]string{
		"h:80": "h:80", "http://h:80/": "h:80", "[::1]:1": "[::1]:1", "h": "", "h:0": "", "h:99999": "", "ftp://h:1": "", ":80": "",
	} {
		e, err := ParseEndpoint(text)
		if (err != nil) != (want == "") || err == nil && e.Address() != want {
			t.Errorf("%q is %q, %v; want %q", text, e.Address(), err, want)
		}
	}
}
