package naming_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// ask serves one request without a network.
func (w *world) ask(b *testing.B, method, target string) {
	a := httptest.NewRecorder()
	w.Server.ServeHTTP(a, httptest.NewRequest(method, target, nil))
	if a.Code != http.StatusOK {
		b.Fatalf("%s %s: %d %s", method, target, a.Code, a.Body)
	}
}

// BenchmarkHTTP is what one node does for clients over HTTP, but for the network:
// lists of 10 instances, beats, and registrations.
func BenchmarkHTTP(b *testing.B) {
	w := newWorld(b)
	for i := range 10 {
		w.ask(b, "POST", fmt.Sprintf("/nacos/v1/ns/instance?serviceName=s&ip=10.0.0.%d&port=80", i))
	}
	for name, target := range map[string]string{
		"list":     "GET /nacos/v1/ns/instance/list?serviceName=DEFAULT_GROUP@@s&clusters=DEFAULT&namespaceId=public&healthyOnly=false",
		"beat":     "PUT /nacos/v1/ns/instance/beat?serviceName=DEFAULT_GROUP@@s&ip=10.0.0.1&port=80&clusterName=DEFAULT",
		"register": "POST /nacos/v1/ns/instance?serviceName=s&ip=10.0.0.1&port=80&metadata={}",
	} {
		b.Run(name, func(b *testing.B) {
			method, path, _ := strings.Cut(target, " ")
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					w.ask(b, method, path)
				}
			})
		})
	}
}
