package rpc

import (
	"io"
	"net"
	"net/http"
	"testing"
)

// One port serves both: who speaks HTTP/2 is a gRPC client.
func TestSplit(t *testing.T) {
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	both := Split(l)
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "web") })}
	ended := make(chan struct{}, 2)
	go func() { _ = web.Serve(both.HTTP()); ended <- struct{}{} }()
	go func() { _ = w.server.Serve(both.GRPC()); ended <- struct{}{} }()
	w.addr = l.Addr().String()
	w.client().must("HealthCheckRequest", "{}")
	for _, method := range []string{"GET", "POST", "PUT", "PATCH"} { // PRI * begins like two of them
		r, _ := http.NewRequest(method, "http://"+w.addr+"/", nil)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(resp.Body); string(b) != "web" {
			t.Errorf("%s was answered %q", method, b)
		}
		_ = resp.Body.Close()
	}
	http.DefaultClient.CloseIdleConnections()
	silent, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = silent.Close()
	_ = both.Close()
	_ = web.Close()
	<-ended
	<-ended
}
