package eureka

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// consumer is a client that applies deltas, as Eureka's do.
type consumer struct {
	of map[changeKey]string // statuses
}

func (c *consumer) fetch(l *listing) {
	c.of = map[changeKey]string{}
	for _, a := range l.apps {
		for _, e := range a.entries {
			c.of[changeKey{a.name, e.ID}] = e.Status
		}
	}
}

func (c *consumer) apply(l *listing) {
	for _, a := range l.apps {
		for n, e := range a.entries {
			key := changeKey{a.name, e.ID}
			if a.action(n) == deleted {
				delete(c.of, key)
			} else {
				c.of[key] = e.Status
			}
		}
	}
}

func (c *consumer) hash() string {
	counts := map[string]int{}
	for _, s := range c.of {
		counts[s]++
	}
	return hashOf(counts)
}

// TestDeltas: a client that fetches the delta now and then has what a client has that
// fetches everything, and the same hash, whatever happens in between.
func TestDeltas(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		now := time.UnixMilli(1_700_000_000_000)
		v := newView(Config{Now: func() time.Time { return now }})
		v.whole = make(chan struct{})
		close(v.whole)
		var sources []*source
		states := map[*source]map[int32]*messages.Endpoint{}
		for _, name := range []string{"A", "a", "B"} { // two are one app
			s := &source{view: v, name: name, entries: map[place]*entry{}}
			v.sources[name] = s
			sources = append(sources, s)
			states[s] = map[int32]*messages.Endpoint{}
		}
		c, part := &consumer{}, &consumer{}
		only := may(func(source string) bool { return source != "B" })
		c.fetch(v.full(nil))
		part.fetch(v.full(only))
		for step := range 500 {
			s := sources[r.IntN(len(sources))]
			stir(r, states[s])
			v.apply(s, stateOf(s, states[s], int64(step+1)))
			now = now.Add(time.Duration(r.IntN(30)) * time.Second)
			if now.Sub(time.UnixMilli(0))%3 == 0 || step%4 == 0 { // always within 3 minutes
				for m, x := range map[*consumer]may{c: nil, part: only} {
					l := v.delta(x)
					m.apply(l)
					if all := v.full(x); m.hash() != l.hash || l.hash != all.hash || all.size() != len(m.of) {
						t.Fatalf("seed %d, step %d: the client has %s, was told %s, there is %s", seed, step, m.hash(), l.hash, all.hash)
					}
				}
			}
		}
		for _, s := range sources {
			v.apply(s, stateOf(s, nil, 1000))
		}
		if len(v.apps)+len(v.ids)+len(v.vips)+len(v.svips)+len(v.counts)+v.leases != 0 {
			t.Errorf("seed %d: of nobody is left %v %v %v %v %d", seed, v.apps, v.ids, v.vips, v.counts, v.leases)
		}
		now = now.Add(recentEntries + time.Second)
		if l := v.delta(nil); l.size() != 0 || v.recent.order.Len() != 0 || len(v.recent.of) != 0 {
			t.Errorf("seed %d: a delta of long ago has %d", seed, l.size())
		}
	}
}

// stir does something to some endpoints.
func stir(r *rand.Rand, all map[int32]*messages.Endpoint) {
	for range 1 + r.IntN(4) {
		port := int32(r.IntN(12))
		if r.IntN(3) == 0 {
			delete(all, port)
			continue
		}
		e := &messages.Endpoint{
			Ip: "10.0.0.1", Port: port, Cluster: "DEFAULT", Id: fmt.Sprint(r.IntN(10)), Enabled: r.IntN(4) > 0, Healthy: r.IntN(4) > 0,
			RegisteredAt: int64(r.IntN(100)), Dialect: dialect, Status: statuses[r.IntN(len(statuses))],
			Document: []byte(`{"vipAddress":"x,y","secureVipAddress":"z"}`),
		}
		if r.IntN(3) == 0 {
			e.Dialect, e.Status, e.Document = "nacos", "", nil
		}
		all[port] = e
	}
}

func stateOf(s *source, all map[int32]*messages.Endpoint, number int64) *registry.State {
	m := &messages.Service{Revision: number}
	for _, e := range all {
		m.Endpoints = append(m.Endpoints, proto.CloneOf(e))
	}
	return &registry.State{Number: s.number + 1, Service: m, Revision: number}
}

// counting counts what is asked.
type counting struct {
	cluster.Asker
	mu  sync.Mutex
	all map[string]int
}

func (c *counting) Ask(ctx context.Context, to actors.Ref, m proto.Message) (proto.Message, error) {
	c.mu.Lock()
	c.all[string(m.ProtoReflect().Descriptor().Name())]++
	c.mu.Unlock()
	return c.Asker.Ask(ctx, to, m)
}

// TestUnknownLeases: who renews what nobody knows is told so, and nobody is asked.
func TestUnknownLeases(t *testing.T) {
	asked := &counting{all: map[string]int{}}
	w := newWorldWith(t, func(c *Config) {
		asked.Asker = c.Cloud
		c.Cloud, c.Beats = asked, registry.NewBeats(asked)
	})
	for n := range 2000 {
		w.must(404, "PUT", fmt.Sprintf("/eureka/apps/A%d/i%d?lastDirtyTimestamp=%d", n%10, n, n), "")
	}
	if len(asked.all) != 0 {
		t.Errorf("asked was %v", asked.all)
	}
	w.must(204, "POST", "/eureka/apps/BILLING", billing("i", "10.0.0.1", ""), sendsJSON)
	w.must(200, "PUT", "/eureka/apps/BILLING/i", "")
	if asked.all["RenewEndpoints"] != 1 {
		t.Errorf("asked was %v", asked.all)
	}
}

// TestStatusRules: what is shown of what was said and of what an operator says.
func TestStatusRules(t *testing.T) {
	for _, tt := range []struct {
		said, override string
		enabled        bool
		want           string
	}{
		{up, "", true, up}, {up, "", false, outOfService}, {down, outOfService, true, down}, {starting, up, true, starting},
		{up, outOfService, false, outOfService}, {up, outOfService, true, up}, {up, down, true, down}, {outOfService, up, true, up},
		{unknown, "", true, unknown}, {unknown, up, true, up}, {outOfService, "", false, outOfService}, {down, "", false, down},
	} {
		e := &messages.Endpoint{Dialect: dialect, Status: tt.said, StatusOverride: tt.override, Enabled: tt.enabled}
		if got := shown(e); got != tt.want {
			t.Errorf("%+v: %s", tt, got)
		}
	}
	for _, tt := range [][3]string{
		{up, outOfService, outOfService}, {outOfService, up, up}, {down, up, down}, {starting, up, starting}, {up, down, up},
		{up, unknown, up}, {unknown, up, up}, {unknown, starting, unknown}, {up, "", up},
	} {
		if got := kept(tt[0], tt[1]); got != tt[2] {
			t.Errorf("%s after %s is %s, want %s", tt[0], tt[1], got, tt[2])
		}
	}
}

// TestOverrides: they survive that an instance registers again, and end when they are
// removed: then it is asked to say again what it is.
func TestOverrides(t *testing.T) {
	w := newWorld(t)
	body := func(dirty int) string {
		return billing("i", "10.0.0.1", fmt.Sprintf(`,"status":"UP","lastDirtyTimestamp":%d`, dirty))
	}
	w.must(204, "POST", "/eureka/apps/BILLING", body(1), sendsJSON)
	w.must(200, "PUT", "/eureka/apps/BILLING/i/status?value=OUT_OF_SERVICE&lastDirtyTimestamp=1", "")
	w.shows("BILLING", "i", outOfService)
	w.must(204, "POST", "/eureka/apps/BILLING", body(2), sendsJSON)
	w.must(200, "PUT", "/eureka/apps/BILLING/i?lastDirtyTimestamp=2", "")
	w.shows("BILLING", "i", outOfService)
	if got := w.must(200, "GET", "/eureka/v2/serverinfo/statusoverrides", ""); got != `{"i":"OUT_OF_SERVICE"}` {
		t.Error(got)
	}
	w.must(200, "DELETE", "/eureka/apps/BILLING/i/status", "")
	w.shows("BILLING", "i", unknown)
	w.must(404, "PUT", "/eureka/apps/BILLING/i?lastDirtyTimestamp=2", "")
	w.must(204, "POST", "/eureka/apps/BILLING", body(2), sendsJSON)
	w.shows("BILLING", "i", up)
	w.must(200, "PUT", "/eureka/apps/BILLING/i?lastDirtyTimestamp=2", "")
	w.must(200, "DELETE", "/eureka/apps/BILLING/i/status", "") // there is none
	w.shows("BILLING", "i", up)
}

// TestOverrideEnds: with the instance, and an hour after it was last asked for, which
// it is as long as the instance says that it is up.
func TestOverrideEnds(t *testing.T) {
	later := time.Duration(0)
	w := newWorldWith(t, func(c *Config) { c.Now = func() time.Time { return time.Now().Add(later) } })
	says := func(status string, dirty int) {
		t.Helper()
		w.must(204, "POST", "/eureka/apps/BILLING", billing("i", "10.0.0.1", fmt.Sprintf(`,"status":%q,"lastDirtyTimestamp":%d`, status, dirty)), sendsJSON)
	}
	isOverridden := func() {
		t.Helper()
		w.must(200, "PUT", "/eureka/apps/BILLING/i/status?value=OUT_OF_SERVICE", "")
	}
	says(up, 1)
	isOverridden()
	dirty := 2
	for _, c := range []struct {
		first string
		later time.Duration
		shown string
	}{
		{up, 2 * overrideLives, outOfService},
		{starting, overrideLives / 2, outOfService},
		{down, overrideLives / 2, outOfService},
		{down, 2 * overrideLives, up},
	} {
		later = 0
		says(c.first, dirty)
		if c.first != up {
			w.shows("BILLING", "i", c.first)
		}
		later = c.later // than when the registry has heard of it
		says(up, dirty+1)
		w.shows("BILLING", "i", c.shown)
		dirty += 2
	}
	later = 0
	isOverridden()
	w.shows("BILLING", "i", outOfService)
	w.must(200, "DELETE", "/eureka/apps/BILLING/i", "")
	says(up, dirty)
	w.shows("BILLING", "i", up)
}

// TestRegions: there is one. Who asks for others is answered with it, as by a server
// of Netflix' that fetches from no others.
func TestRegions(t *testing.T) {
	w := newWorld(t)
	w.must(204, "POST", "/eureka/apps/BILLING", billing("i", "10.0.0.1", ""), sendsJSON)
	for _, path := range []string{"/eureka/apps", "/eureka/apps/delta", "/eureka/v2/vips/billing"} {
		here := w.must(200, "GET", path, "", takesJSON)
		for _, regions := range []string{"us-east-1", "eu-west-1,us-west-2", ""} {
			if got := w.must(200, "GET", path+"?regions="+regions, "", takesJSON); got != here || !strings.Contains(got, "10.0.0.1") {
				t.Errorf("%s of regions %q: %s, not %s", path, regions, got, here)
			}
		}
	}
}

// TestPacked: answers are packed for who takes that, and are then the same.
func TestPacked(t *testing.T) {
	w := newWorld(t)
	for n := range 10 {
		w.must(204, "POST", "/eureka/apps/BILLING", billing(fmt.Sprint("i", n), fmt.Sprint("10.0.0.", n), ""), sendsJSON)
	}
	plain := w.must(200, "GET", "/eureka/apps", "", "Accept-Encoding: identity")
	r := httptest.NewRequest("GET", "/eureka/apps", nil)
	r.Header.Set("Accept-Encoding", "br, gzip;q=0.5")
	packed := httptest.NewRecorder()
	w.api.ServeHTTP(packed, r)
	if packed.Header().Get("Content-Encoding") != "gzip" || packed.Body.Len() > len(plain)/2 {
		t.Errorf("%d of %d bytes, %v", packed.Body.Len(), len(plain), packed.Header())
	}
	if got := w.must(200, "GET", "/eureka/apps", ""); got != plain { // net/http unpacks
		t.Error("it is not the same")
	}
	var all struct {
		Applications struct{ Application []struct{ Instance []any } }
	}
	if err := json.Unmarshal([]byte(w.must(200, "GET", "/eureka/apps", "", takesJSON)), &all); err != nil || len(all.Applications.Application[0].Instance) != 10 {
		t.Error(err, all)
	}
}

// BenchmarkApps answers GET /apps of 10,000 instances, while nothing changes.
func BenchmarkApps(b *testing.B) {
	w := large(b)
	for _, accept := range []string{typeXML, typeJSON} {
		b.Run(strings.TrimPrefix(accept, "application/"), func(b *testing.B) {
			r := httptest.NewRequest("GET", "/eureka/apps", nil)
			r.Header.Set("Accept", accept)
			r.Header.Set("Accept-Encoding", "gzip")
			for b.Loop() {
				w.api.ServeHTTP(discard{http.Header{}}, r)
			}
		})
	}
}

// BenchmarkChange has one of 10,000 instances change, and asks for the delta.
func BenchmarkChange(b *testing.B) {
	w := large(b)
	v := w.api.view
	s := v.sources["BIG"]
	all := make([]*messages.Endpoint, 0, len(s.entries))
	for _, x := range s.entries {
		all = append(all, x.e)
	}
	s.sub.Cancel()
	r := httptest.NewRequest("GET", "/eureka/apps/delta", nil)
	for n := 0; b.Loop(); n++ {
		e := proto.CloneOf(all[0])
		e.Metadata = map[string]string{"n": fmt.Sprint(n)}
		all[0] = e
		v.mu.Lock()
		v.apply(s, &registry.State{Number: s.number + 1, Revision: s.revision + 1, Service: &messages.Service{Endpoints: all}})
		v.mu.Unlock()
		w.api.ServeHTTP(discard{http.Header{}}, r)
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// large is a registry of 10,000 instances of one application.
func large(b *testing.B) *world {
	w := newWorld(b)
	m := &messages.RegisterEndpoints{}
	for n := range 10_000 {
		i := &instance{
			ID: fmt.Sprint("host-", n, ":big:8080"), Host: fmt.Sprint("host-", n), App: "BIG", IP: fmt.Sprintf("10.0.%d.%d", n/250, n%250),
			Status: up, Override: unknown, Port: port{8080, true}, Center: center{Name: myOwn, said: true}, VIP: "big", Home: "http://big:8080/",
			StatusPage: "http://big:8080/info", Health: "http://big:8080/health", Metadata: map[string]string{"zone": "a"},
		}
		i.settle()
		e, err := i.endpoint("DEFAULT", false)
		if err != nil {
			b.Fatal(err)
		}
		m.Endpoints = append(m.Endpoints, e)
	}
	if _, err := w.Client.Ask(b.Context(), w.api.ref("BIG"), m); err != nil {
		b.Fatal(err)
	}
	w.must(200, "GET", "/eureka/apps/delta", "")
	w.show("10,000", func(v *view) bool { return v.counts[up] == 10_000 })
	return w
}
