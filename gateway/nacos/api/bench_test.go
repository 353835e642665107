package api

import (
	"net/http/httptest"
	"testing"

	"github.com/rs/zerolog"
)

// BenchmarkFrame is what one request of a known user costs beyond its handler.
func BenchmarkFrame(b *testing.B) {
	s := testServer(ServerConfig{Auth: keyring{}, Log: zerolog.Nop()}, routes()...)
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("GET", Prefix+"/v3/read?x=1&namespaceId=ns&serviceName=a&accessToken=reader", nil)
		s.ServeHTTP(httptest.NewRecorder(), r)
	}
}
