package troupe

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
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

// trio stands for a cluster of three nodes, one of which does not answer.
type trio struct{ told []string }

func (*trio) Status(context.Context) []cluster.NodeState {
	return []cluster.NodeState{
		{Name: "n1", Status: &messages.NodeStatus{
			Member: &messages.Member{Id: "n1.x", Name: "n1", Roles: 7, Hosts: []string{"h1"}}, Leased: true, Actors: map[string]int64{"host": 1},
		}},
		{Name: "n2", Status: &messages.NodeStatus{Member: &messages.Member{Name: "n2", Roles: 2, Leaving: true}}},
		{Name: "n3", Err: fmt.Errorf("no answer: %w", messages.Unavailable)},
	}
}

func (*trio) Where(_ context.Context, ref actors.Ref) (*messages.Whereabouts, error) {
	if ref.ID == "nowhere/at all" {
		return &messages.Whereabouts{}, nil
	}
	return &messages.Whereabouts{Node: "n1", MemberId: "n1.x", Active: true}, nil
}

func (o *trio) DrainNode(_ context.Context, name string) error { return o.tell("drain", name) }
func (o *trio) LeaveNode(_ context.Context, name string) error { return o.tell("leave", name) }

func (o *trio) tell(what, name string) error {
	if name != "n2" {
		return fmt.Errorf("there is no node %s: %w", name, messages.NotFound)
	}
	o.told = append(o.told, what)
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
	nodes := &trio{}
	s.Mount(Dialect(o, nodes, nil))
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
		{"the nodes", "GET", "/nodes", "admin", "", 200, `"name":"n1","state":"up"`},
		{"one that leaves", "GET", "/nodes", "admin", "", 200, `"name":"n2","state":"leaving"`},
		{"one that is silent", "GET", "/nodes", "admin", "", 200, `"name":"n3","state":"silent","problem":"no answer"`},
		{"the nodes, to a member", "GET", "/nodes", "member", "", 403, ""},
		{"where an actor is", "GET", "/actors/host/h1", "admin", "", 200, `"node":"n1","member":"n1.x","active":true`},
		{"where none can be", "GET", "/actors/host/nowhere%2Fat%20all", "admin", "", 503, ""},
		{"drain", "POST", "/nodes/n2/drain", "admin", "", 204, ""},
		{"leave", "POST", "/nodes/n2/leave", "admin", "", 202, ""},
		{"leave, nobody", "POST", "/nodes/n9/leave", "admin", "", 404, "n9"},
		{"leave, by a member", "POST", "/nodes/n2/leave", "member", "", 403, ""},
	} {
		r := httptest.NewRequest(tt.method, Prefix+tt.path, strings.NewReader(tt.body))
		r.Header.Set("X-Auth-Token", tt.role)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		got := strings.NewReplacer(`": `, `":`, "\n", "", `, "`, `,"`).Replace(w.Body.String())
		if w.Code != tt.status || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %d %s, want %d %s", tt.name, w.Code, w.Body, tt.status, tt.want)
		}
	}
	if !slices.Equal(nodes.told, []string{"drain", "leave"}) {
		t.Errorf("the nodes were told %v", nodes.told)
	}
	if o.level != "debug" {
		t.Errorf("level is %s", o.level)
	}
}
