package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/instance"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/metadata"
	"github.com/troupe-cloud/troupe/gateway/openstack/identity"
	"github.com/troupe-cloud/troupe/messages"
)

// user speaks the OpenStack API as the first administrator does.
type user struct {
	t       *testing.T
	cloud   *cloud
	project string
	token   string
	nacos   string
}

func newUser(t *testing.T, c *cloud) *user {
	t.Helper()
	admin, err := identity.ReadCredentials(c.config.Data)
	if err != nil {
		t.Fatal(err)
	}
	u := &user{t: t, cloud: c, project: admin.ProjectID, nacos: login(t, c)}
	body := fmt.Sprintf(`{"auth": {"identity": {"methods": ["password"], "password": {"user": {"id": %q, "password": %q}}}, "scope": {"project": {"id": %q}}}}`,
		admin.UserID, admin.Password, admin.ProjectID)
	_, _, header := u.do("POST", "/identity/v3/auth/tokens", "application/json", body)
	u.token = header.Get("X-Subject-Token")
	return u
}

func (u *user) do(method, path, kind, body string) (status int, answer string, header http.Header) {
	u.t.Helper()
	r, err := http.NewRequestWithContext(u.t.Context(), method, u.cloud.url+path, bytes.NewBufferString(body))
	if err != nil {
		u.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("X-Auth-Token", u.token)
	r.Header.Set("OpenStack-API-Version", "compute 2.53")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		u.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		u.t.Fatal(err)
	}
	return resp.StatusCode, string(raw), resp.Header
}

// must is do of JSON that has to go well; the answer is decoded into out.
func (u *user) must(method, path, body string, out any) {
	u.t.Helper()
	status, answer, _ := u.do(method, path, "application/json", body)
	if status >= 300 {
		u.t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	if out != nil {
		if err := json.Unmarshal([]byte(answer), out); err != nil {
			u.t.Fatal(err, answer)
		}
	}
}

func (u *user) image() string {
	u.t.Helper()
	var image struct{ ID string }
	u.must("POST", "/image/v2/images", `{"name": "i", "disk_format": "raw", "container_format": "bare"}`, &image)
	if status, answer, _ := u.do("PUT", "/image/v2/images/"+image.ID+"/file", "application/octet-stream", strings.Repeat("x", 512)); status != 204 {
		u.t.Fatal(status, answer)
	}
	return image.ID
}

// server makes a server with these metadata.
func (u *user) server(image, metadata string) (id string, status int) {
	u.t.Helper()
	body := fmt.Sprintf(`{"server": {"name": "s", "imageRef": %q, "flavorRef": "1", "networks": "auto", "metadata": %s}}`, image, metadata)
	status, answer, _ := u.do("POST", "/compute/v2.1/servers", "application/json", body)
	var made struct{ Server struct{ ID string } }
	if status == 202 {
		if err := json.Unmarshal([]byte(answer), &made); err != nil {
			u.t.Fatal(err)
		}
	}
	return made.Server.ID, status
}

// listed waits until the service has what is wanted, and sees that Nacos' clients are
// shown the same: addresses with their weights.
func (u *user) listed(what, name, want string) {
	u.t.Helper()
	ctx, cancel := context.WithTimeout(u.t.Context(), time.Minute)
	defer cancel()
	changes, err := u.cloud.client.Watch(ctx, service.Ref("", "", name), &messages.GetService{})
	if err != nil {
		u.t.Fatal(err)
	}
	last := ""
	for c := range changes {
		s, _ := c.Answer.(*messages.Service)
		if last = endpointsOf(s.GetEndpoints()); last == want {
			break
		}
	}
	if last != want {
		u.t.Fatalf("%s: %s has %q, want %q", what, name, last, want)
	}
	_, body := tell(u.t, u.cloud, "GET", "/v2/ns/instance/list?serviceName="+name+"&accessToken="+u.nacos, nil)
	var list struct {
		Data struct{ Hosts []struct{ IP string } }
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		u.t.Fatal(err, body)
	}
	if n := len(strings.Fields(want)); len(list.Data.Hosts) > n || !strings.Contains(want, "*0") && len(list.Data.Hosts) != n {
		u.t.Errorf("%s: Nacos lists %v, want %q", what, list.Data.Hosts, want)
	}
}

func endpointsOf(all []*messages.Endpoint) string {
	var b []string
	for _, e := range all {
		b = append(b, fmt.Sprintf("%s:%d*%v", e.Ip, e.Port, e.Weight))
	}
	return strings.Join(b, " ")
}

// TestServerIsAnEndpoint: by its metadata alone, as long as it runs and can be reached.
func TestServerIsAnEndpoint(t *testing.T) {
	c := startRegistry(t, registryConfig(t))
	u := newUser(t, c)
	image := u.image()
	if _, status := u.server(image, `{"troupe:service": "web:http"}`); status != 400 {
		t.Errorf("a port that is none: %d", status)
	}
	id, status := u.server(image, `{"troupe:service": "web:8080", "troupe:drain": "8", "troupe:weight": "2"}`)
	if status != 202 {
		t.Fatal(status)
	}
	const address = "10.90.0.2" // the first of the range
	u.listed("it runs", "web", address+":8080*2")
	act := func(body string) { u.must("POST", "/compute/v2.1/servers/"+id+"/action", body, nil) }
	act(`{"os-stop": null}`)
	u.listed("it drains", "web", address+":8080*0")
	u.listed("it is stopped", "web", "")
	u.settled(id)
	act(`{"os-start": null}`)
	u.listed("it is started", "web", address+":8080*2")
	u.settled(id)
	u.must("POST", "/compute/v2.1/servers/"+id+"/metadata", `{"metadata": {"troupe:service": "api"}}`, nil)
	u.listed("it is called otherwise", "web", "")
	u.listed("by its new name", "api", address+":80*2")
	var services struct {
		Services []struct{ ID, Binary string }
	}
	u.must("GET", "/compute/v2.1/os-services?binary=nova-compute", "", &services)
	down := func(is bool) {
		u.must("PUT", "/compute/v2.1/os-services/"+services.Services[0].ID, fmt.Sprintf(`{"forced_down": %v}`, is), nil)
	}
	down(true)
	u.listed("its host is down", "api", "")
	down(false)
	u.listed("its host is back", "api", address+":80*2")
	u.must("DELETE", "/compute/v2.1/servers/"+id, "", nil)
	u.listed("it is deleted", "api", "")
}

// settled waits until no task is under way.
func (u *user) settled(id string) {
	u.t.Helper()
	ctx, cancel := context.WithTimeout(u.t.Context(), time.Minute)
	defer cancel()
	changes, err := u.cloud.client.Watch(ctx, actors.Ref{Kind: instance.Kind, ID: id}, &messages.GetInstance{})
	if err != nil {
		u.t.Fatal(err)
	}
	for c := range changes {
		if v, ok := c.Answer.(*messages.InstanceView); ok && v.TaskState == messages.TaskState_TASK_STATE_NONE {
			return
		}
	}
	u.t.Fatal("it never settled")
}

// TestGuestReadsConfigs: those that its server names, if they admit the project, and
// it is told of a change.
func TestGuestReadsConfigs(t *testing.T) {
	c := startRegistry(t, registryConfig(t))
	u := newUser(t, c)
	publish := func(id, content, tags string) {
		t.Helper()
		form := url.Values{"dataId": {id}, "groupName": {"g"}, "content": {content}, "configTags": {tags}, "accessToken": {u.nacos}}
		if status, body := tell(t, c, "POST", "/v3/admin/cs/config", form); status != 200 {
			t.Fatal(status, body)
		}
	}
	publish("open", "one", service.ProjectsKey+"="+u.project)
	publish("secret", "x", "")
	id, status := u.server(u.image(), `{"troupe:config": "open@g,secret@g"}`)
	if status != 202 {
		t.Fatal(status)
	}
	u.settled(id)
	h := metadata.New(metadata.ByIndex{Client: c.client}, c.networkID, zerolog.Nop())
	ask := func(path string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/openstack/latest/troupe/config"+path, nil)
		r.RemoteAddr = "10.90.0.2:4711"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	if w := ask(""); w.Body.String() != "g/open\ng/secret" {
		t.Errorf("the list: %d %q", w.Code, w.Body)
	}
	if w := ask("/g/secret"); w.Code != 404 {
		t.Errorf("what does not admit the project: %d %q", w.Code, w.Body)
	}
	w := ask("/g/open")
	if w.Code != 200 || w.Body.String() != "one" {
		t.Fatalf("%d %q", w.Code, w.Body)
	}
	told := make(chan *httptest.ResponseRecorder)
	go func() { told <- ask("/g/open?wait=25&md5=" + w.Header().Get("X-Troupe-Md5")) }()
	publish("open", "two", service.ProjectsKey+"="+u.project)
	if w := <-told; w.Code != 200 || w.Body.String() != "two" {
		t.Errorf("the change: %d %q", w.Code, w.Body)
	}
}
