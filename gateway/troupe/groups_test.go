package troupe

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/flavor"
	"github.com/troupe-cloud/troupe/actors/group"
	"github.com/troupe-cloud/troupe/actors/host"
	"github.com/troupe-cloud/troupe/actors/image"
	"github.com/troupe-cloud/troupe/actors/instance"
	"github.com/troupe-cloud/troupe/actors/keypair"
	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/actors/project"
	"github.com/troupe-cloud/troupe/actors/scheduler"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/drivers/sim"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/gateway/openstack/api/apitest"
	"github.com/troupe-cloud/troupe/gateway/troupe/shape"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	imageV1 = "11111111-1111-4111-8111-111111111111"
	imageV2 = "22222222-2222-4222-8222-222222222222"
	flatNet = "44444444-4444-4444-8444-444444444444"
	noImage = "99999999-9999-4999-8999-999999999999"
)

// cloud is one node with simulated hypervisors h1, h2, ... and the API.
type cloud struct {
	t    *testing.T
	node *cluster.Node
	api  *api.Server
}

func newCloud(t *testing.T, hosts int) *cloud {
	node, err := cluster.Start(t.Context(), cluster.Config{
		Name: "n1", Store: mem.New(), Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.ErrorLevel),
		Kinds: []actors.Kind{
			group.Spec(), instance.Spec(), host.Spec(), scheduler.Spec(scheduler.Filter), project.Spec(), image.Spec(), flavor.Spec(),
			keypair.Spec(), network.Spec(), service.Spec(),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range hosts {
		d := sim.New(sim.Config{Name: fmt.Sprintf("h%d.example", i+1)})
		if err := node.AttachHost(fmt.Sprintf("h%d", i+1), "nova", d); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = d.Close() })
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := node.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	c := &cloud{t: t, node: node, api: api.NewServer(api.Config{Log: zerolog.Nop(), Auth: apitest.People{
		"user":  {UserID: "u", ProjectID: "p", Roles: []string{"member"}},
		"other": {UserID: "o", ProjectID: "q", Roles: []string{"member"}},
		"admin": {UserID: "a", ProjectID: "r", Roles: []string{"admin"}},
	}})}
	c.api.Mount(Dialect(nil, nil, node.Client()))
	c.furnish()
	for i := range hosts {
		c.until(func() bool {
			v, err := cluster.Ask[*messages.HostView](t.Context(), node.Client(), actors.Ref{Kind: "host", ID: fmt.Sprintf("h%d", i+1)}, &messages.GetHost{})
			return err == nil && v.Facts.GetUp()
		})
	}
	return c
}

func (c *cloud) furnish() {
	for _, f := range flavor.Defaults() {
		c.tell("flavor", f.Id, &messages.CreateFlavor{Flavor: f})
	}
	for _, id := range []string{imageV1, imageV2} {
		c.tell("image", id, &messages.CreateImage{Image: &messages.ImageView{
			Name: "image", ProjectId: "r", Visibility: "public", ContainerFormat: "bare", DiskFormat: "qcow2",
		}})
		c.tell("image", id, &messages.ImageUploaded{
			Sha256: strings.Repeat("a", 64), Sha512: strings.Repeat("b", 128), Md5: strings.Repeat("c", 32), SizeBytes: 1 << 20, VirtualBytes: 1 << 20,
		})
	}
	c.tell("network", flatNet, &messages.CreateNetwork{Id: flatNet, Name: "flat", ProjectId: "r", Shared: true})
	c.tell("network", flatNet, &messages.CreateSubnet{Subnet: &messages.Subnet{
		Id: "55555555-5555-4555-8555-555555555555", Name: "flat", NetworkId: flatNet, Cidr: "10.77.0.0/16", Dhcp: true,
	}})
}

func (c *cloud) tell(kind, id string, m proto.Message) {
	c.t.Helper()
	if _, err := c.node.Client().Ask(c.t.Context(), actors.Ref{Kind: kind, ID: id}, m); err != nil {
		c.t.Fatalf("%s %s: %v", kind, id, err)
	}
}

// until waits for what many actors settle among themselves.
func (c *cloud) until(done func() bool) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			c.t.Fatal("that never came to be")
		}
	}
}

// do sends one request, and decodes the group that is answered.
func (c *cloud) do(who, method, path, body string) (int, shape.Group, string) {
	r := httptest.NewRequest(method, Prefix+path, strings.NewReader(body))
	r.Header.Set("X-Auth-Token", who)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	c.api.Handler().ServeHTTP(w, r)
	var answer struct{ Group shape.Group }
	_ = json.Unmarshal(w.Body.Bytes(), &answer)
	return w.Code, answer.Group, w.Body.String()
}

// settled waits until the group's members, who are not leaving, are all in use, so
// many, of that revision.
func (c *cloud) settled(id string, many int, revision int64) shape.Group {
	c.t.Helper()
	var g shape.Group
	defer func() {
		if c.t.Failed() {
			c.t.Logf("%+v", g)
		}
	}()
	c.until(func() bool {
		var status int
		if status, g, _ = c.do("user", "GET", "/groups/"+id, ""); status != 200 {
			return false
		}
		good := 0
		for _, m := range g.Members {
			if m.State == "in-use" && m.Revision == revision {
				good++
			}
		}
		return g.Status == group.StatusSettled && good == many
	})
	return g
}

// servers are those that are listed in the project.
func (c *cloud) servers() []*messages.InstanceView {
	entries, _, err := c.node.Client().List(c.t.Context(), cluster.Page{Prefix: instance.IndexPrefix("p")})
	if err != nil {
		c.t.Fatal(err)
	}
	var all []*messages.InstanceView
	for _, e := range entries {
		v := &messages.InstanceView{}
		if err := proto.Unmarshal(e.Value, v); err != nil {
			c.t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

// TestGroupLife: a group of three is built up, loses a host, grows, is rolled to
// another image and back, and is deleted.
func TestGroupLife(t *testing.T) {
	c := newCloud(t, 3)
	status, g, raw := c.do("user", "POST", "/groups", fmt.Sprintf(
		`{"group": {"name": "web", "desired": 3, "flavor": "1", "image": %q, "min_healthy": 2, "max_surge": 1, "max_unavailable": 1, "host_grace": 1, "metadata": {"tier": "front"}}}`, imageV1))
	if status != 201 || g.Name != "web" || g.Template.Flavor != "1" {
		t.Fatal(status, raw)
	}
	id := g.ID
	g = c.settled(id, 3, 1)
	for _, s := range c.servers() {
		if s.GroupId != id || !strings.HasPrefix(s.Name, "web-") || s.Hostname != s.Name || s.Metadata["tier"] != "front" || len(s.Ports) != 1 {
			t.Errorf("a member: %v", s)
		}
	}

	lost := c.servers()[0].Host
	down, up := true, false
	c.tell("host", lost, &messages.SetHost{ForcedDown: &down})
	c.until(func() bool {
		_, g, _ = c.do("user", "GET", "/groups/"+id, "")
		for _, s := range c.servers() {
			if i := slices.IndexFunc(g.Members, func(m shape.GroupMember) bool { return m.Server == s.Id }); s.Host == lost && i >= 0 && g.Members[i].State != "leaving" {
				return false
			}
		}
		return g.Status == group.StatusSettled && g.Healthy == 3
	})
	c.tell("host", lost, &messages.SetHost{ForcedDown: &up})

	if status, _, raw := c.do("user", "PATCH", "/groups/"+id, `{"group": {"desired": 4}}`); status != 200 {
		t.Fatal(status, raw)
	}
	c.settled(id, 4, 1)
	if status, _, raw := c.do("user", "POST", "/groups/"+id+"/roll", fmt.Sprintf(`{"template": {"image": %q, "metadata": {"tier": null, "v": "2"}}}`, imageV2)); status != 202 {
		t.Fatal(status, raw)
	}
	g = c.settled(id, 4, 2)
	if g.Template.Image != imageV2 || g.Template.Metadata["v"] != "2" || len(g.Template.Metadata) != 1 || len(g.Template.Networks) != 1 {
		t.Errorf("template %+v", g.Template)
	}
	if status, _, raw := c.do("user", "POST", "/groups/"+id+"/rollback", ""); status != 202 {
		t.Fatal(status, raw)
	}
	c.settled(id, 4, 1)
	if status, _, raw := c.do("user", "DELETE", "/groups/"+id, ""); status != 202 {
		t.Fatal(status, raw)
	}
	c.until(func() bool {
		status, _, _ := c.do("user", "GET", "/groups/"+id, "")
		return status == 404
	})
	if left := c.servers(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestGroupRequests(t *testing.T) { // table: one row, one request
	c := newCloud(t, 1)
	body := func(f string, a ...any) string { return `{"group": {` + fmt.Sprintf(f, a...) + `}}` }
	_, g, _ := c.do("user", "POST", "/groups", body(`"name": "empty", "flavor": "1", "image": %q`, imageV1))
	one := "/groups/" + g.ID
	for _, tt := range []struct {
		name, who, method, path, body string
		status                        int
		want                          string
	}{
		{"no such image", "user", "POST", "/groups", body(`"name": "x", "flavor": "1", "image": %q`, noImage), 400, "image"},
		{"no such flavor", "user", "POST", "/groups", body(`"name": "x", "flavor": "none", "image": %q`, imageV1), 400, "flavor"},
		{"no image said", "user", "POST", "/groups", body(`"name": "x", "flavor": "1"`), 400, "image"},
		{"no name", "user", "POST", "/groups", body(`"flavor": "1", "image": %q`, imageV1), 400, "name"},
		{"too many", "user", "POST", "/groups", body(`"name": "x", "desired": 101, "flavor": "1", "image": %q`, imageV1), 400, "100 members"},
		{"an unknown field", "user", "POST", "/groups", body(`"nome": "x"`), 400, "nome"},
		{"user data", "user", "POST", "/groups", body(`"name": "x", "user_data": "%%", "flavor": "1", "image": %q`, imageV1), 400, "base 64"},
		{"no such key", "user", "POST", "/groups", body(`"name": "x", "key_name": "k", "flavor": "1", "image": %q`, imageV1), 400, "key"},
		{"no such network", "user", "POST", "/groups", body(`"name": "x", "networks": [%q], "flavor": "1", "image": %q`, noImage, imageV1), 400, "network"},
		{"listed", "user", "GET", "/groups", "", 200, "empty"},
		{"not for others", "other", "GET", "/groups", "", 200, `"groups": []`},
		{"not for all", "other", "GET", "/groups?all_projects=1", "", 200, `"groups": []`},
		{"all, for administrators", "admin", "GET", "/groups?all_projects=1", "", 200, "empty"},
		{"shown to administrators", "admin", "GET", one, "", 200, "empty"},
		{"not shown to others", "other", "GET", one, "", 404, ""},
		{"not changed by others", "other", "PATCH", one, body(`"desired": 1`), 404, ""},
		{"not rolled by others", "other", "POST", one + "/roll", `{"template": {}}`, 404, ""},
		{"not deleted by others", "other", "DELETE", one, "", 404, ""},
		{"below the minimum", "user", "PATCH", one, body(`"min_healthy": 1`), 400, "min_healthy"},
		{"nothing to go back to", "user", "POST", one + "/rollback", "", 409, "go back"},
		{"a roll to nothing new", "user", "POST", one + "/roll", `{"template": {}}`, 202, `"revision": 1`},
		{"a restart", "user", "POST", one + "/roll", `{"template": {}, "restart": true}`, 202, `"revision": 2`},
		{"nor another time", "user", "POST", one + "/roll", `{"template": {}}`, 202, `"revision": 2`},
		{"no such group", "user", "GET", "/groups/" + noImage, "", 404, ""},
	} {
		status, _, raw := c.do(tt.who, tt.method, tt.path, tt.body)
		if got := strings.NewReplacer(`":`, `": `, `": `, `": `).Replace(raw); status != tt.status || !strings.Contains(got, tt.want) {
			t.Errorf("%s: got %d %s, want %d %s", tt.name, status, raw, tt.status, tt.want)
		}
	}
}
