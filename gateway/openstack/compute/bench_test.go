package compute_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/gateway/openstack/compute"
	"github.com/troupe-cloud/troupe/messages"
)

// discard is a client that reads nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// handler is the world's server without a network before it.
func (w *world) handler() http.Handler {
	s := api.NewServer(api.Config{Auth: everybody, Log: zerolog.Nop()})
	s.Mount(compute.New(compute.Config{Client: w.node.Client()}).Dialect())
	return s.Handler()
}

func get(h http.Handler, path string) {
	r := httptest.NewRequest(http.MethodGet, compute.Prefix+"/v2.1"+path, nil)
	r.Header.Set("X-Auth-Token", "user")
	r.Header.Set("OpenStack-API-Version", "compute 2.90")
	h.ServeHTTP(discard{http.Header{}}, r)
}

// BenchmarkShow is GET of one server, from request to rendered answer.
func BenchmarkShow(b *testing.B) {
	w := newWorld(b, 1)
	id, h := w.create("user", "one", "ACTIVE"), w.handler()
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			get(h, "/servers/"+id)
		}
	})
}

// BenchmarkListDetail is one page of a hundred, of as many servers as the name says.
func BenchmarkListDetail(b *testing.B) {
	for _, n := range []int{100, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w := newWorld(b, 20)
			w.fill("p-user", n)
			h := w.handler()
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				get(h, "/servers/detail?limit=100")
			}
		})
	}
}

// fill creates n servers.
func (w *world) fill(project string, n int) {
	w.tb.Helper()
	w.ask("project", project, &messages.SetQuota{Limits: map[string]int64{"instances": -1, "cores": -1, "ram": -1}})
	var wg sync.WaitGroup
	slots := make(chan struct{}, 64)
	for i := range n {
		wg.Add(1)
		slots <- struct{}{}
		go func() {
			defer func() { <-slots; wg.Done() }()
			a := w.do("user", "2.90", "POST", "/v2.1/servers", createBody(fmt.Sprintf("s%d", i), "t1.nano", smallImage))
			if a.status != http.StatusAccepted {
				w.tb.Errorf("create: %d %s", a.status, a.body)
			}
		}()
	}
	wg.Wait()
	w.until("all are built", func() bool { return w.running() == n })
}

// running counts the servers that the hosts hold and do not build.
func (w *world) running() int {
	n := 0
	for i := range w.machines {
		h := w.host(i)
		n += int(h.GetInstances() - h.GetBuilding())
	}
	return n
}
