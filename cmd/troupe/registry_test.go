package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/troupe-cloud/troupe/gateway/openstack/identity"
)

// registryConfig is a cloud with a registry on any ports.
func registryConfig(t *testing.T) cloudConfig {
	t.Helper()
	c := cloudConfig{
		Listen: "127.0.0.1:0", RegistryListen: "127.0.0.1:0", Data: t.TempDir(), Driver: driverSim, SimHosts: 1, Zone: "nova",
		SchedulerMode: "filter", FlatCIDR: "10.90.0.0/16", TokenLife: identity.DefaultTokenLife,
	}
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	return c
}

func startRegistry(t *testing.T, config cloudConfig) *cloud {
	t.Helper()
	c, err := startCloud(t.Context(), config, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

// tell sends a form to the registry, and returns what it said.
func tell(t *testing.T, c *cloud, method, path string, form url.Values) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+c.registry.address+"/nacos"+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
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

// login is the token of the first administrator.
func login(t *testing.T, c *cloud) string {
	t.Helper()
	admin, err := identity.ReadCredentials(c.config.Data)
	if err != nil {
		t.Fatal(err)
	}
	status, body := tell(t, c, "POST", "/v1/auth/login", url.Values{"username": {admin.UserName}, "password": {admin.Password}})
	var said struct{ AccessToken string }
	if err := json.Unmarshal([]byte(body), &said); status != 200 || err != nil {
		t.Fatalf("login: %d %s", status, body)
	}
	return said.AccessToken
}

func TestRegistry(t *testing.T) {
	c := startRegistry(t, registryConfig(t))
	if line := c.readyLine(); !strings.Contains(line, "registry "+c.registry.address) || strings.Contains(line, "WITHOUT") {
		t.Error(line)
	}
	instance := url.Values{"serviceName": {"a"}, "ip": {"10.0.0.1"}, "port": {"80"}}
	if status, body := tell(t, c, "POST", "/v1/ns/instance", instance); status != 403 {
		t.Errorf("nobody registered: %d %s", status, body)
	}
	token := login(t, c)
	instance.Set("accessToken", token)
	if status, body := tell(t, c, "POST", "/v1/ns/instance", instance); status != 200 || body != "ok" {
		t.Errorf("register: %d %s", status, body)
	}
	if _, body := tell(t, c, "GET", "/v2/ns/instance/list?serviceName=a&accessToken="+token, nil); !strings.Contains(body, "10.0.0.1#80#DEFAULT") {
		t.Errorf("list: %s", body)
	}
	if status, body := tell(t, c, "POST", "/v3/admin/cs/config", url.Values{"dataId": {"d"}, "groupName": {"g"}, "content": {"x"}, "accessToken": {token}}); status != 200 {
		t.Errorf("publish: %d %s", status, body)
	}
	if _, body := tell(t, c, "GET", "/v1/cs/configs?dataId=d&group=g&accessToken="+token, nil); body != "x" {
		t.Errorf("get: %s", body)
	}
	host, port, _ := net.SplitHostPort(c.registry.address)
	n, _ := strconv.Atoi(port)
	for _, address := range []string{c.registry.address, net.JoinHostPort(host, strconv.Itoa(n+grpcOffset))} {
		if got := serverCheck(t, address); !strings.Contains(got, `"connectionId"`) {
			t.Errorf("gRPC at %s: %q", address, got)
		}
	}
}

// TestEveryRoute asks all that Nacos' API has, in all its versions, as the wire
// specification lists it: nothing may be unknown.
func TestEveryRoute(t *testing.T) {
	c := startRegistry(t, registryConfig(t))
	raw, err := os.ReadFile("testdata/nacos-routes.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		method, path, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		status, body := tell(t, c, method, path, nil)
		if unknown := strings.Contains(body, "No message available") || strings.Contains(body, "no such api"); unknown || status == 405 || status >= 500 {
			t.Errorf("%s %s: %d %s", method, path, status, body)
		}
	}
}

func TestOpenRegistry(t *testing.T) {
	config := registryConfig(t)
	config.NoAuth = true
	c := startRegistry(t, config)
	if !strings.Contains(c.readyLine(), "WITHOUT AUTHENTICATION") {
		t.Error(c.readyLine())
	}
	if status, body := tell(t, c, "POST", "/v1/cs/configs", url.Values{"dataId": {"d"}, "group": {"g"}, "content": {"x"}}); status != 200 || body != "true" {
		t.Errorf("%d %s", status, body)
	}
	if _, body := tell(t, c, "GET", "/v1/console/server/state", nil); !strings.Contains(body, `"auth_enabled":"false"`) {
		t.Error(body)
	}
}

func TestRegistryPortInUse(t *testing.T) {
	config := registryConfig(t)
	config.RegistryListen = startRegistry(t, config).registry.address
	config.Data = t.TempDir()
	c, err := startCloud(t.Context(), config, zerolog.Nop())
	if err == nil {
		_ = c.stop(context.Background())
	}
	if err == nil || !strings.Contains(err.Error(), "--registry-listen") {
		t.Errorf("the port was taken twice: %v", err)
	}
}

// asIs is a codec of messages that are encoded already.
type asIs struct{}

func (asIs) Name() string                  { return "proto" }
func (asIs) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (asIs) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}

// serverCheck asks what every client of gRPC asks first.
func serverCheck(t *testing.T, address string) string {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	field := func(b []byte, number protowire.Number, value []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), value)
	}
	ask := field(nil, 2, field(nil, 3, []byte("ServerCheckRequest")))
	ask = field(ask, 3, field(nil, 2, []byte("{}")))
	var answer []byte
	if err := conn.Invoke(t.Context(), "/Request/request", &ask, &answer, grpc.ForceCodec(asIs{})); err != nil {
		t.Fatalf("%s: %v", address, err)
	}
	return string(answer)
}
