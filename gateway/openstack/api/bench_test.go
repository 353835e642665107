package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rs/zerolog"
)

// BenchmarkMiddleware is what one authenticated GET costs beyond its handler.
func BenchmarkMiddleware(b *testing.B) {
	h := testServer(Config{Log: zerolog.Nop(), RatePerClient: 1e9})
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("GET", "/compute/things/1", nil)
		r.Header.Set("X-Auth-Token", "reader")
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}

// BenchmarkLoopback is the same over loopback with 64 connections.
func BenchmarkLoopback(b *testing.B) {
	srv := httptest.NewServer(testServer(Config{Log: zerolog.Nop(), RatePerClient: 1e9}))
	defer srv.Close()
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r, _ := http.NewRequest("GET", srv.URL+"/compute/things/1", nil)
			r.Header.Set("X-Auth-Token", "reader")
			resp, err := c.Do(r)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})
}
