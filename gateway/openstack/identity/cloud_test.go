package identity

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/directory"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
)

// cloud is identity on a real node with its store in memory.
type cloud struct {
	t      testing.TB
	client *cluster.Client
	dir    string
	is     *Identity
	url    string
	log    *bytes.Buffer
	offset atomic.Int64 // by how much the gateway's clock is ahead, ns
	admin  *Credentials
}

func newCloud(t testing.TB) *cloud {
	t.Helper()
	c := &cloud{t: t, dir: t.TempDir(), log: &bytes.Buffer{}}
	log := zerolog.New(zerolog.SyncWriter(c.log)).Level(zerolog.DebugLevel)
	node, err := cluster.Start(context.Background(), cluster.Config{Name: "test", Store: mem.New(), Kinds: []actors.Kind{directory.Kind()}, Log: log})
	c.ok(err)
	t.Cleanup(func() { c.ok(node.Stop(context.Background())) })
	c.client = node.Client()
	keys, err := OpenKeys(c.dir, time.Now())
	c.ok(err)
	c.is, err = New(Config{Client: c.client, Keys: keys, Log: log, HashCost: 4, Catalog: []Service{
		{Type: "compute", Name: "nova", Path: "/compute/v2.1"}, {Type: "volumev3", Name: "cinder", Path: "/volume/v3/$(project_id)s"}},
		Now: func() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }})
	c.ok(err)
	s := api.NewServer(api.Config{Auth: c.is, Log: log})
	s.Mount(c.is.Dialect())
	srv := httptest.NewServer(s.Handler())
	t.Cleanup(srv.Close)
	c.url = srv.URL
	c.admin, err = Bootstrap(context.Background(), c.setup())
	c.ok(err)
	return c
}

func (c *cloud) setup() Setup {
	return Setup{Client: c.client, Dir: c.dir, BaseURL: c.url, ComputeVersion: "2.93", HashCost: 4}
}

func (c *cloud) ok(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// answer is what came back, with its body decoded.
type answer struct {
	status int
	header http.Header
	raw    string
	body   any
}

// at walks the body: "token.user.name", "roles.0.name".
func (a answer) at(path string) any {
	v := a.body
	for _, step := range strings.Split(path, ".") {
		switch now := v.(type) {
		case map[string]any:
			v = now[step]
		case []any:
			var n int
			if _, err := fmt.Sscan(step, &n); err != nil || n >= len(now) {
				return nil
			}
			v = now[n]
		default:
			return nil
		}
	}
	return v
}

func (a answer) text(path string) string { s, _ := a.at(path).(string); return s }

func (c *cloud) do(method, path, token, body string, headers ...string) answer {
	c.t.Helper()
	r, err := http.NewRequest(method, c.url+"/identity"+path, strings.NewReader(body))
	c.ok(err)
	if token != "" {
		r.Header.Set("X-Auth-Token", token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	c.ok(err)
	defer resp.Body.Close()
	var buf bytes.Buffer
	_, err = buf.ReadFrom(resp.Body)
	c.ok(err)
	a := answer{status: resp.StatusCode, header: resp.Header, raw: buf.String()}
	_ = json.Unmarshal(buf.Bytes(), &a.body)
	return a
}

// want asks and expects a status.
func (c *cloud) want(status int, method, path, token, body string, headers ...string) answer {
	c.t.Helper()
	a := c.do(method, path, token, body, headers...)
	if a.status != status {
		c.t.Fatalf("%s %s: %d, want %d: %s", method, path, a.status, status, a.raw)
	}
	return a
}

func passwordBody(user, password, scope string) string {
	if scope != "" {
		scope = `,"scope":` + scope
	}
	return fmt.Sprintf(`{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":%q,"domain":{"id":"default"},"password":%q}}}%s}}`,
		user, password, scope)
}

func onProject(id string) string { return fmt.Sprintf(`{"project":{"id":%q}}`, id) }

// login is a token for user on project ("": wherever there is no scope).
func (c *cloud) login(user, password, project string) string {
	c.t.Helper()
	scope := ""
	if project != "" {
		scope = onProject(project)
	}
	return c.want(201, "POST", "/v3/auth/tokens", "", passwordBody(user, password, scope)).header.Get("X-Subject-Token")
}

func (c *cloud) adminToken() string {
	c.t.Helper()
	return c.login("admin", c.admin.Password, c.admin.ProjectID)
}

// user makes a user with the role member on a project of its own; both ids.
func (c *cloud) user(name string) (user, project string) {
	c.t.Helper()
	token := c.adminToken()
	user = c.want(201, "POST", "/v3/users", token, fmt.Sprintf(`{"user":{"name":%q,"password":"pw-%s"}}`, name, name)).text("user.id")
	project = c.want(201, "POST", "/v3/projects", token, fmt.Sprintf(`{"project":{"name":"of-%s"}}`, name)).text("project.id")
	role := c.want(200, "GET", "/v3/roles?name=member", token, "").text("roles.0.id")
	c.want(204, "PUT", "/v3/projects/"+project+"/users/"+user+"/roles/"+role, token, "")
	return user, project
}
