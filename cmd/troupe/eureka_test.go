package main

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/gateway/openstack/identity"
)

// asEureka sends one request as a client of Eureka does.
func asEureka(t *testing.T, c *cloud, method, path, body string, user *url.Userinfo, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+c.registry.address+"/eureka"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	if user != nil {
		password, _ := user.Password()
		r.SetBasicAuth(user.Username(), password)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

func administrator(t *testing.T, c *cloud) *url.Userinfo {
	t.Helper()
	admin, err := identity.ReadCredentials(c.config.Data)
	if err != nil {
		t.Fatal(err)
	}
	return url.UserPassword(admin.UserName, admin.Password)
}

// TestEureka: accounts and permissions of the registry hold, and no header gives any.
func TestEureka(t *testing.T) {
	c := startRegistry(t, registryConfig(t))
	admin := administrator(t, c)
	const instance = `{"instance":{"hostName":"h","app":"ORDERS","ipAddr":"10.0.0.1","dataCenterInfo":{"name":"MyOwn"},"port":{"$":80}}}`
	for name, headers := range map[string][]string{
		"nobody": nil, "a peer": {"x-netflix-discovery-replication: true"}, "a client": {"DiscoveryIdentity-Name: DefaultClient"},
		"a token that is none": {"Authorization: Bearer x"},
	} {
		for _, r := range [][2]string{{"POST", "/apps/ORDERS"}, {"GET", "/apps"}, {"GET", "/status"}, {"POST", "/peerreplication/batch"}, {"PUT", "/apps/ORDERS/h"}, {"DELETE", "/apps/ORDERS/h"}} {
			if status, body := asEureka(t, c, r[0], r[1], instance, nil, headers...); status != 401 {
				t.Errorf("%s may %s %s: %d %s", name, r[0], r[1], status, body)
			}
		}
	}
	if status, body := asEureka(t, c, "GET", "/apps", "", url.UserPassword(admin.Username(), "wrong")); status != 401 {
		t.Errorf("a wrong password: %d %s", status, body)
	}
	if status, body := asEureka(t, c, "POST", "/apps/ORDERS", instance, admin); status != 204 {
		t.Errorf("register: %d %s", status, body)
	}
	for _, r := range []struct {
		path string
		form url.Values
	}{
		{"/v1/auth/users", url.Values{"username": {"reader"}, "password": {"reader-secret"}}},
		{"/v1/auth/roles", url.Values{"username": {"reader"}, "role": {"readers"}}},
		{"/v1/auth/permissions", url.Values{"role": {"readers"}, "resource": {"public:DEFAULT_GROUP:naming/ORDERS"}, "action": {"r"}}},
	} {
		r.form.Set("accessToken", login(t, c))
		if status, body := tell(t, c, "POST", r.path, r.form); status != 200 {
			t.Fatalf("%s: %d %s", r.path, status, body)
		}
	}
	reader := url.UserPassword("reader", "reader-secret")
	if status, body := asEureka(t, c, "POST", "/apps/HIDDEN", strings.Replace(instance, "ORDERS", "HIDDEN", 1), admin); status != 204 {
		t.Errorf("register: %d %s", status, body)
	}
	for _, path := range []string{"/apps", "/apps/delta"} {
		status, body := asEureka(t, c, "GET", path, "", reader)
		if status != 200 || !strings.Contains(body, "ORDERS") || strings.Contains(body, "HIDDEN") || !strings.Contains(body, "<apps__hashcode>UP_1_<") {
			t.Errorf("a reader sees in %s: %d %s", path, status, body)
		}
	}
	for _, r := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/apps/ORDERS", 200}, {"GET", "/apps/HIDDEN", 404}, {"GET", "/apps/HIDDEN/h", 404}, {"POST", "/apps/ORDERS", 403},
		{"PUT", "/apps/ORDERS/h", 403}, {"DELETE", "/apps/ORDERS/h", 403}, {"DELETE", "/apps/HIDDEN/h", 403}, {"DELETE", "/apps/HIDDEN/x", 403},
		{"PUT", "/apps/ORDERS/h/status?value=DOWN", 403}, {"DELETE", "/apps/ORDERS/h/status", 403}, {"PUT", "/apps/ORDERS/h/metadata?a=b", 403},
	} {
		if status, body := asEureka(t, c, r.method, r.path, instance, reader, "x-netflix-discovery-replication: true"); status != r.status {
			t.Errorf("a reader: %s %s: %d %s", r.method, r.path, status, body)
		}
	}
	batch := `{"replicationList":[{"appName":"ORDERS","id":"h","action":"Cancel"}]}`
	if status, body := asEureka(t, c, "POST", "/peerreplication/batch", batch, reader); status != 200 || body != `{"responseList":[{"statusCode":403}]}` {
		t.Errorf("a reader's batch: %d %s", status, body)
	}
	if list, body := tell(t, c, "GET", "/v1/ns/instance/list?serviceName=ORDERS&accessToken="+login(t, c), nil); list != 200 || !strings.Contains(body, "10.0.0.1") {
		t.Errorf("Nacos sees %s", body)
	}
}

// TestOpenEureka: without authentication everybody may.
func TestOpenEureka(t *testing.T) {
	config := registryConfig(t)
	config.NoAuth = true
	c := startRegistry(t, config)
	if status, body := asEureka(t, c, "GET", "/v2/apps", "", nil); status != 200 || !strings.Contains(body, "<applications>") {
		t.Errorf("%d %s", status, body)
	}
}

func TestEurekaSettings(t *testing.T) {
	for _, e := range []eurekaConfig{{Namespace: "a b"}, {Group: "a b"}} {
		config := registryConfig(t)
		config.Eureka = e
		if err := config.check(); err == nil {
			t.Errorf("%+v is taken", e)
		}
	}
}
