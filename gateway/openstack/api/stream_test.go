package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// slow yields its text a byte at a time, each after gap.
type slow struct {
	text string
	gap  <-chan time.Time
}

func (s *slow) Read(p []byte) (int, error) {
	if s.text == "" {
		return 0, io.EOF
	}
	<-s.gap
	p[0], s.text = s.text[0], s.text[1:]
	return 1, nil
}

// TestStreamOutlivesTimeouts sends and receives for longer than the server
// would wait for an ordinary request.
func TestStreamOutlivesTimeouts(t *testing.T) {
	t.Parallel()
	const wait = 2 * time.Second
	tick := time.NewTicker(wait / 2)
	defer tick.Stop()
	s := NewServer(Config{Auth: people, Log: zerolog.Nop()})
	s.Mount(Dialect{Name: "image", Prefix: "/image", Routes: []Route{
		{Method: "PUT", Pattern: "/file", Stream: true, Handle: func(r *Request) (Response, error) {
			_, err := io.Copy(io.Discard, r.Body)
			return Response{Status: http.StatusNoContent}, err
		}},
		{Method: "GET", Pattern: "/file", Stream: true, Handle: func(r *Request) (Response, error) {
			return Response{Stream: io.NopCloser(&slow{"012", tick.C})}, nil
		}},
	}})
	srv := httptest.NewUnstartedServer(s.Handler())
	srv.Config.ReadTimeout, srv.Config.WriteTimeout = wait, wait
	srv.Start()
	defer srv.Close()
	for _, method := range []string{"PUT", "GET"} {
		var body io.Reader
		if method == "PUT" {
			body = &slow{strings.Repeat("x", 3), tick.C}
		}
		r, _ := http.NewRequest(method, srv.URL+"/image/file", body)
		r.Header.Set("X-Auth-Token", "member")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(method, err)
		}
		got, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode >= 400 || (method == "GET" && string(got) != "012") {
			t.Errorf("%s: %d %q %v", method, resp.StatusCode, got, err)
		}
		_ = resp.Body.Close()
	}
}
