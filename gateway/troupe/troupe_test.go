package troupe

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/messages"
)

type knob struct{ level string }

func (o *knob) Level() string { return o.level }

func (o *knob) SetLevel(level string) error {
	if level != "debug" {
		return fmt.Errorf("no level %q: %w", level, messages.Invalid)
	}
	o.level = level
	return nil
}

func (o *knob) Authenticate(_ context.Context, token string) (*api.Principal, error) {
	if token == "" {
		return nil, messages.Denied
	}
	return &api.Principal{ProjectID: "p", Roles: []string{token}}, nil
}

func TestRoutes(t *testing.T) { // table: one row, one request
	o := &knob{level: "info"}
	s := api.NewServer(api.Config{Auth: o, Log: zerolog.Nop()})
	s.Mount(Dialect(o))
	for _, tt := range []struct {
		name, method, path, role, body string
		status                         int
		want                           string
	}{
		{"nobody", "GET", "/log-level", "", "", 401, ""},
		{"the level", "GET", "/log-level", "admin", "", 200, `"level":"info"`},
		{"another level", "PUT", "/log-level", "admin", `{"level":"debug"}`, 200, `"level":"debug"`},
		{"no level", "PUT", "/log-level", "admin", `{"level":"loud"}`, 400, "loud"},
		{"an unknown field", "PUT", "/log-level", "admin", `{"lvl":"debug"}`, 400, ""},
		{"a level from a member", "PUT", "/log-level", "member", `{"level":"debug"}`, 403, ""},
	} {
		r := httptest.NewRequest(tt.method, Prefix+tt.path, strings.NewReader(tt.body))
		r.Header.Set("X-Auth-Token", tt.role)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		got := strings.ReplaceAll(w.Body.String(), `": "`, `":"`)
		if w.Code != tt.status || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %d %s, want %d %s", tt.name, w.Code, w.Body, tt.status, tt.want)
		}
	}
	if o.level != "debug" {
		t.Errorf("level is %s", o.level)
	}
}
