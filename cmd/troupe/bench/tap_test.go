package bench

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/messages/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// TestTap: what goes through arrives unchanged, and counts.
func TestTap(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	}))
	defer server.Close()
	tap, err := newTap(strings.TrimPrefix(server.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	const rounds, size = 3, 10_000
	for range rounds {
		answer, err := http.Post("http://"+tap.address, "text/plain", strings.NewReader(strings.Repeat("x", size)))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || len(body) != size {
			t.Fatalf("%d bytes of %d came back: %v", len(body), size, err)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	if err := tap.close(); err != nil {
		t.Error(err)
	}
	if n, b := tap.requests.Load(), tap.bytes.Load(); n != rounds || b < 2*rounds*size || b > 3*rounds*size {
		t.Errorf("counted %d requests and %d bytes", n, b)
	}
}
