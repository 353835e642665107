package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// registryUser asks the registry of one node or another, with one token.
type registryUser struct {
	t     *testing.T
	ctx   context.Context
	bases []string // by node
	token string
}

// do sends a form to a node, and returns what it said.
func (u *registryUser) do(node int, method, path string, form url.Values, headers ...string) (string, error) {
	r, err := http.NewRequestWithContext(u.ctx, method, u.bases[node]+path, strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "Bearer "+u.token)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s at node%d: %s: %s", method, path, node+1, resp.Status, body)
	}
	return string(body), err
}

// want asks until the answer has a part, for a while: what another node has just
// written or who has just died may take a moment to be known.
func (u *registryUser) want(part string, node int, method, path string, form url.Values) {
	u.t.Helper()
	ctx, cancel := context.WithTimeout(u.ctx, time.Minute)
	defer cancel()
	for {
		body, err := u.do(node, method, path, form)
		if err == nil && strings.Contains(body, part) {
			return
		}
		select {
		case <-ctx.Done():
			u.t.Fatalf("%s %s at node%d: %v: %s, want %q", method, path, node+1, err, body, part)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// freePair is an address that nobody listens at, nor at the port of gRPC above it.
func freePair(t *testing.T) string {
	t.Helper()
	for {
		address := freeAddress(t)
		host, port, _ := net.SplitHostPort(address)
		n, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		if l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(n+1000))); err == nil {
			_ = l.Close()
			return address
		}
	}
}

// TestRegistryCluster has three nodes be one registry: a token, a service and a config
// are the same on all of them, a change made on one wakes who waits on another, and
// all of it stays when a node is killed.
func TestRegistryCluster(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	u := &registryUser{t: t, ctx: ctx}
	var more [][]string
	for range clusterNodes {
		address := freePair(t)
		u.bases = append(u.bases, "http://"+address+"/nacos")
		more = append(more, []string{"--registry-listen", address})
	}
	c := newTrio(t, more...)
	u.login(c.nodes[0].data)

	u.want("ok", 0, "POST", "/v1/ns/instance", url.Values{"serviceName": {"shop"}, "ip": {"10.0.0.1"}, "port": {"80"}, "ephemeral": {"false"}})
	u.want("10.0.0.1#80", 2, "GET", "/v1/ns/instance/list?serviceName=shop", nil)
	u.want("true", 1, "POST", "/v1/cs/configs", url.Values{"dataId": {"a"}, "group": {"g"}, "content": {"one"}})
	u.want("one", 2, "GET", "/v1/cs/configs?dataId=a&group=g", nil)
	u.want("ok", 0, "PUT", "/v1/ns/operator/switches", url.Values{"entry": {"pushEnabled"}, "value": {"false"}})
	u.want(`"pushEnabled":false`, 2, "GET", "/v1/ns/operator/switches", nil)
	for i := range c.nodes {
		u.want(fmt.Sprintf(`"name":"node%d"`, i+1), 1, "GET", "/v2/core/cluster/node/list", nil)
	}

	poll := make(chan string, 1)
	go func() { // who waits on the third node
		probe := url.Values{"Listening-Configs": {"a\x02g\x02f97c5d29941bfb1b2fdab0874906ab82\x01"}} // of "one"
		body, err := u.do(2, "POST", "/v1/cs/configs/listener", probe, "Long-Pulling-Timeout", "30000")
		if err != nil {
			body = err.Error()
		}
		poll <- body
	}()
	u.want("a+g", 2, "GET", "/v3/admin/cs/listener?ip=127.0.0.1&all=true&aggregation=true", nil)
	u.want("true", 0, "POST", "/v1/cs/configs", url.Values{"dataId": {"a"}, "group": {"g"}, "content": {"two"}})
	if got := <-poll; !strings.Contains(got, "a%02g%01") {
		t.Errorf("who waited heard %q", got)
	}

	c.nodes[0].kill()
	u.want("10.0.0.1#80", 1, "GET", "/v1/ns/instance/list?serviceName=shop", nil)
	u.want("two", 2, "GET", "/v1/cs/configs?dataId=a&group=g", nil)
	u.want("true", 1, "POST", "/v1/cs/configs", url.Values{"dataId": {"a"}, "group": {"g"}, "content": {"three"}})
	c.start(c.nodes[0])
	u.want("three", 0, "GET", "/v1/cs/configs?dataId=a&group=g", nil)
}

// login takes the token of the first administrator, from the first node.
func (u *registryUser) login(data string) {
	u.t.Helper()
	raw, err := os.ReadFile(filepath.Join(data, "credentials.json"))
	if err != nil {
		u.t.Fatal(err)
	}
	var admin struct{ Username, Password string }
	if err := json.Unmarshal(raw, &admin); err != nil {
		u.t.Fatal(err)
	}
	body, err := u.do(0, "POST", "/v1/auth/login", url.Values{"username": {admin.Username}, "password": {admin.Password}})
	var said struct{ AccessToken string }
	if err == nil {
		err = json.Unmarshal([]byte(body), &said)
	}
	if err != nil || said.AccessToken == "" {
		u.t.Fatalf("login: %v: %s", err, body)
	}
	u.token = said.AccessToken
}
