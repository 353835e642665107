package rpc

import (
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/gateway/nacos/h2"
)

// TestChangesTogether: requests of one connection that come at once have each their own
// answer, and of one service the last one counts.
func TestChangesTogether(t *testing.T) {
	w := newWorld(t)
	p := w.client()
	w.server.mu.Lock()
	c := w.server.conns[p.id]
	w.server.mu.Unlock()
	var all []h2.Call
	for _, body := range []string{
		register("a", "10.0.0.1"), register("b", "10.0.0.2"), register("a", "10.0.0.3"), register("bad name", "10.0.0.4"),
		register("b", "no address"), `{"serviceName":"c","type":"registerInstance"}`, `{"serviceName":"c","type":"other"}`, `{`,
		deregister("c", "10.0.0.1"),
	} {
		k := c.Begin(client("InstanceRequest", "", nil, body))
		if _, ok := k.Quick(); ok || !k.Joins() {
			t.Fatalf("%s does not join", body)
		}
		all = append(all, k)
	}
	batch := strings.Replace(register("d", "10.0.0.5"), "registerInstance", "batchRegisterInstance", 1)
	all = append(all, c.Begin(client("BatchInstanceRequest", "", nil, batch)))
	got := make([]string, len(all))
	c.Together(all, func(i int, r h2.Reply) {
		got[i] += string(r.Bytes())
		r.Free()
	}, func() {})
	for i, want := range []string{
		`"type":"registerInstance"`, `"success":true`, `"requestId":"7","success":true`, `"success":false`, `"success":false`,
		`"success":false`, `"success":false`, `"success":false`, `"type":"deregisterInstance"`, `"type":"batchRegisterInstance"`,
	} {
		if !strings.Contains(got[i], want) || strings.Count(got[i], `"resultCode"`) != 1 {
			t.Errorf("request %d was answered %q, which lacks %s", i, got[i], want)
		}
	}
	for name, ip := range map[string]string{"a": "10.0.0.3", "b": "10.0.0.2"} {
		info := p.must("ServiceQueryRequest", `{"serviceName":"`+name+`"}`)["serviceInfo"].(map[string]any)
		if hosts := info["hosts"].([]any); len(hosts) != 1 || hosts[0].(map[string]any)["ip"] != ip {
			t.Errorf("%s has %v", name, hosts)
		}
	}
}
