package network

import (
	"strings"
	"testing"
)

// TestOfOthers walks the table: to another project a network, its subnets and
// its ports are not there, on any route, and they are the same afterwards.
func TestOfOthers(t *testing.T) {
	w := newWorld(t)
	net := w.made("alice", "networks", `{"network":{"name":"mine"}}`)
	ids := map[string]string{
		"networks": net,
		"subnets":  w.made("alice", "subnets", `{"subnet":{"network_id":"`+net+`","cidr":"192.168.5.0/24","ip_version":4}}`),
		"ports":    w.made("alice", "ports", `{"port":{"network_id":"`+net+`"}}`),
	}
	show := func() (all string) {
		for _, kind := range []string{"networks", "subnets", "ports"} {
			_, answer := w.do("admin", "GET", "/v2.0/"+kind+"/"+ids[kind], "")
			all += answer + "\n"
		}
		return all
	}
	before, asked := show(), 0
	for _, route := range New(Config{}).Dialect().Routes {
		pattern := strings.TrimPrefix(route.Pattern, root+"/")
		kind, rest, _ := strings.Cut(pattern, "/")
		if rest != "{id}" || ids[kind] == "" {
			continue
		}
		for _, id := range []string{ids[kind], absent} {
			body := ""
			if route.Method == "PUT" {
				body = `{"` + strings.TrimSuffix(kind, "s") + `":{"name":"yours"}}`
			}
			if status, answer := w.do("bob", route.Method, root+"/"+kind+"/"+id, body); status != 404 {
				t.Errorf("%s %s: %d %s", route.Method, pattern, status, answer)
			}
			asked++
		}
	}
	if asked != 18 {
		t.Errorf("%d requests were made: is the table read?", asked)
	}
	if after := show(); after != before {
		t.Errorf("something was changed:\n%s\n%s", before, after)
	}
	for _, body := range []string{`{"network_id":"` + net + `"}`, `{"network_id":"` + absent + `"}`} {
		if status, answer := w.do("bob", "POST", "/v2.0/ports", `{"port":`+body+`}`); status != 404 {
			t.Errorf("a port on it: %d %s", status, answer)
		}
	}
}
