package naming_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/naming"
)

// TestListeningAddress holds a poll to the address from which it came: what it says
// its address is must send nobody else datagrams.
func TestListeningAddress(t *testing.T) {
	w := newWorld(t)
	r, err := http.NewRequest("GET", w.URL+"/nacos/v1/ns/instance/list?serviceName=g@@s&clusters=a,b&udpPort=5555&clientIP=192.0.2.7&app=shop", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("User-Agent", "Nacos-Go-Client:v1.1.6")
	r.Header.Set("X-Forwarded-For", "192.0.2.8")
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, a.Body); err != nil {
		t.Error(err)
	}
	a.Body.Close()
	got := <-w.pushed.all
	want := naming.Listening{
		Service: api.Key{Namespace: "public", Group: "g", Name: "s"}, Clusters: "a,b", Peer: "127.0.0.1", Port: 5555,
		Agent: "Nacos-Go-Client:v1.1.6", App: "shop", Revision: got.Revision,
	}
	if got != want || got.Revision == 0 {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
