package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/messages"
)

// tokens is an Authenticator over a fixed list.
type tokens map[string]*Principal

func (t tokens) Authenticate(_ context.Context, token string) (*Principal, error) {
	if token == "store-down" {
		return nil, Refuse(messages.Unavailable, "the store does not answer")
	}
	if p := t[token]; p != nil {
		return p, nil
	}
	return nil, Refuse(messages.Denied, "unknown token")
}

var people = tokens{
	"admin":  {UserID: "a", Roles: []string{"admin"}},
	"member": {UserID: "m", ProjectID: "p", Roles: []string{"member"}},
	"reader": {UserID: "r", ProjectID: "p", Roles: []string{"reader"}},
}

type things struct{ Name string }

// testDialect has one route for everything that the middleware distinguishes.
func testDialect() Dialect {
	ok := func(r *Request) (Response, error) {
		return Response{Body: map[string]string{"id": r.PathValue("id"), "version": r.Version.String()}}, nil
	}
	return Dialect{
		Name: "compute", Prefix: "/compute", MaxBody: 1000,
		Negotiate: NewMicroversions("compute", "X-OpenStack-Nova-API-Version", Version{2, 1}, Version{2, 93}).Negotiate,
		Routes: []Route{
			{Method: "GET", Pattern: "/", Handle: ok, Public: true},
			{Method: "GET", Pattern: "/things/{id}", Handle: ok},
			{Method: "DELETE", Pattern: "/things/{id}", Handle: ok, Admin: true},
			{Method: "POST", Pattern: "/things", Write: true, Handle: func(r *Request) (Response, error) {
				var t struct{ Thing things }
				if err := DecodeJSON(r, &t); err != nil {
					return Response{}, err
				}
				return Response{Status: http.StatusAccepted, Body: t}, nil
			}},
			{Method: "PUT", Pattern: "/file", Stream: true, Handle: func(r *Request) (Response, error) {
				raw, err := io.ReadAll(r.Body)
				return Response{Stream: io.NopCloser(bytes.NewReader(raw))}, err
			}},
			{Method: "GET", Pattern: "/panic", Handle: func(*Request) (Response, error) { panic("oh") }},
			{Method: "GET", Pattern: "/ours", Handle: func(*Request) (Response, error) {
				return Response{}, errors.New("disk /dev/secret is on fire")
			}},
			{Method: "GET", Pattern: "/context", Handle: func(r *Request) (Response, error) {
				_, limited := r.Context().Deadline()
				if !limited || cluster.RequestID(r.Context()) != r.ID {
					return Response{}, errors.New("context")
				}
				return Response{Status: http.StatusNoContent}, nil
			}},
		},
	}
}

func ask(h http.Handler, method, path, token, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://cloud.example:8774"+path, strings.NewReader(body))
	if token != "" {
		r.Header.Set("X-Auth-Token", token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func testServer(cfg Config) http.Handler {
	cfg.Auth = people
	s := NewServer(cfg)
	s.Mount(testDialect())
	return s.Handler()
}

func TestMiddleware(t *testing.T) {
	h := testServer(Config{Log: zerolog.Nop()})
	for name, tt := range map[string]struct {
		method, path, token, body string
		status                    int
		holds                     string // in the answer
	}{
		"public":                       {"GET", "/compute", "", "", 200, `"version":"2.1"`},
		"trailing slash":               {"GET", "/compute/", "", "", 200, "version"},
		"public with a bad token":      {"GET", "/compute/", "forged", "", 200, "version"},
		"no token":                     {"GET", "/compute/things/1", "", "", 401, `"title":"Unauthorized"`},
		"unknown token":                {"GET", "/compute/things/1", "forged", "", 401, `"error"`},
		"nobody can check the token":   {"GET", "/compute/things/1", "store-down", "", 503, "does not answer"},
		"path value":                   {"GET", "/compute/things/a%2Fb", "reader", "", 200, `"id":"a/b"`},
		"path value, trailing slash":   {"GET", "/compute/things/7/", "reader", "", 200, `"id":"7"`},
		"role admin is missing":        {"DELETE", "/compute/things/1", "member", "", 403, "Policy"},
		"role admin":                   {"DELETE", "/compute/things/1", "admin", "", 200, "id"},
		"role member is missing":       {"POST", "/compute/things", "reader", "{}", 403, "Policy"},
		"created":                      {"POST", "/compute/things", "member", `{"thing":{"name":"n<"}}`, 202, `"n<"`},
		"malformed":                    {"POST", "/compute/things", "member", `{"thing":`, 400, "Malformed request body"},
		"two texts":                    {"POST", "/compute/things", "member", `{} {}`, 400, "Malformed request body"},
		"no text":                      {"POST", "/compute/things", "member", ``, 400, "Malformed request body"},
		"not UTF-8":                    {"POST", "/compute/things", "member", "{\"thing\":{\"name\":\"\xff\"}}", 400, "Malformed"},
		"wrong type":                   {"POST", "/compute/things", "member", `{"thing":{"name":7}}`, 400, "Thing.Name"},
		"too deep":                     {"POST", "/compute/things", "member", strings.Repeat("[", 33) + strings.Repeat("]", 33), 400, "Malformed"},
		"too large":                    {"POST", "/compute/things", "member", `{"x":"` + strings.Repeat("x", 1000) + `"}`, 413, "too large"},
		"no such route":                {"GET", "/compute/nothing", "reader", "", 404, "could not be found"},
		"no such method":               {"PATCH", "/compute/things/1", "reader", "", 405, "not allowed"},
		"doubled slash is no redirect": {"GET", "/compute//things/1", "reader", "", 404, "could not"},
		"dots are no redirect":         {"GET", "/compute/things/../things/1", "reader", "", 404, "could not"},
		"prefix is a whole element":    {"GET", "/computer", "", "", 404, ""},
		"stream has no body limit":     {"PUT", "/compute/file", "member", strings.Repeat("y", 5000), 200, "yyyy"},
		"panic":                        {"GET", "/compute/panic", "reader", "", 500, "internal error, request req-"},
		"error of ours":                {"GET", "/compute/ours", "reader", "", 500, "internal error, request req-"},
		"context":                      {"GET", "/compute/context", "reader", "", 204, ""},
	} {
		w := ask(h, tt.method, tt.path, tt.token, tt.body)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.holds) || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if w.Code >= 400 && strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s: not JSON: %s", name, w.Body)
		}
	}
}

func TestHeaders(t *testing.T) {
	h := testServer(Config{Log: zerolog.Nop()})
	const global = "req-11111111-2222-4333-8444-555555555555"
	w := ask(h, "GET", "/compute/things/1", "reader", "", "X-OpenStack-Request-ID", global)
	id := w.Header().Get("X-OpenStack-Request-ID")
	if !validRequestID(id) || id == global || id != w.Header().Get("x-compute-request-id") {
		t.Errorf("request ids: %v", w.Header())
	}
	w = ask(h, "GET", "/compute/things/1", "", "")
	if got := w.Header().Get("WWW-Authenticate"); got != `Keystone uri="http://cloud.example:8774/identity"` {
		t.Errorf("WWW-Authenticate: %s", got)
	}
	w = ask(h, "PATCH", "/compute/things/1", "reader", "")
	if got := w.Header().Get("Allow"); got != "GET, HEAD, DELETE" {
		t.Errorf("Allow: %s", got)
	}
	w = ask(h, "GET", "/compute/things/1", "reader", "", "Host", "x")
	if w.Code != 200 {
		t.Errorf("%d", w.Code)
	}
	r := httptest.NewRequest("GET", "/compute/", nil)
	r.Host = `evil"<host>`
	w = httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != 400 {
		t.Errorf("host: %d", w.Code)
	}
}

func TestAdmission(t *testing.T) {
	pressure := 0.0
	enter, leave := make(chan struct{}), make(chan struct{})
	s := NewServer(Config{Auth: people, Log: zerolog.Nop(), MaxInFlight: 1, Pressure: func() float64 { return pressure }})
	d := testDialect()
	d.Routes = append(d.Routes, Route{Method: "GET", Pattern: "/slow", Public: true, Handle: func(*Request) (Response, error) {
		enter <- struct{}{}
		<-leave
		return Response{}, nil
	}})
	s.Mount(d)
	done := make(chan int)
	go func() { done <- ask(s.Handler(), "GET", "/compute/slow", "", "").Code }()
	<-enter
	w := ask(s.Handler(), "GET", "/compute", "", "")
	if w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("second request: %d %v", w.Code, w.Header())
	}
	if w := ask(s.Handler(), "PUT", "/compute/file", "member", "x"); w.Code != 200 {
		t.Errorf("streams are counted apart: %d", w.Code)
	}
	close(leave)
	if code := <-done; code != 200 || s.InFlight() != 0 {
		t.Errorf("first request: %d, in flight %d", code, s.InFlight())
	}
	pressure = 1
	if w := ask(s.Handler(), "GET", "/compute", "", ""); w.Code != 503 {
		t.Errorf("under pressure: %d", w.Code)
	}
}

func TestRate(t *testing.T) {
	h := testServer(Config{Log: zerolog.Nop(), RatePerClient: 0.001, RateBurst: 2})
	for i, want := range []int{200, 200, 429} {
		if w := ask(h, "GET", "/compute", "", ""); w.Code != want || (want == 429) != (w.Header().Get("Retry-After") != "") {
			t.Errorf("request %d: %d", i, w.Code)
		}
	}
	c, now := newClients(1, 1), time.Unix(0, 0)
	for name, tt := range map[string]struct {
		first, second string
		want          bool
	}{
		"same address, other port": {"192.0.2.1:1", "192.0.2.1:2", false},
		"other address":            {"192.0.2.2:1", "192.0.2.3:1", true},
		"same /64":                 {"[2001:db8::1]:1", "[2001:db8::2]:1", false},
		"other /64":                {"[2001:db8:0:1::1]:1", "[2001:db8:0:2::1]:1", true},
	} {
		if c.allow(tt.first, now); c.allow(tt.second, now) != tt.want {
			t.Errorf("%s: allowed %v", name, !tt.want)
		}
	}
}

func TestStatus(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want int
	}{
		{nil, 200}, {messages.Invalid, 400}, {messages.NotFound, 404}, {messages.Conflict, 409}, {messages.Exhausted, 403},
		{messages.Denied, 403}, {messages.Unavailable, 503}, {messages.Internal, 500}, {errors.New("x"), 500},
		{context.DeadlineExceeded, 503}, {WithStatus(406, messages.Invalid), 406},
	} {
		if got := Status(tt.err); got != tt.want {
			t.Errorf("%v: %d, want %d", tt.err, got, tt.want)
		}
	}
}
