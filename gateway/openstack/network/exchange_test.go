package network

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/messages"
)

var flatCIDR = netip.MustParsePrefix(network.DefaultFlatCIDR)

const absent = "99999999-9999-5999-8999-999999999999"

// TestConversation holds a whole conversation against the golden file. $net,
// $sub and $port stand for what was made before.
func TestConversation(t *testing.T) {
	w := newWorld(t)
	flat := w.flat()
	names := map[string]string{"$flat": flat, "$group": defaultGroupID("p1")}
	var got strings.Builder
	for _, x := range []struct{ keep, token, method, path, body string }{
		{"", "", "GET", "/", ""},
		{"", "alice", "GET", "/v2.0/", ""},
		{"", "", "GET", "/v2.0/networks", ""},
		{"", "unscoped", "GET", "/v2.0/networks", ""},
		{"", "reader", "POST", "/v2.0/networks", `{"network":{}}`},
		{"", "alice", "GET", "/v2.0/networks", ""},
		{"$net", "alice", "POST", "/v2.0/networks", `{"network":{"name":"mine","admin_state_up":true}}`},
		{"", "alice", "POST", "/v2.0/networks", `{"network":{"shared":true}}`},
		{"", "alice", "POST", "/v2.0/networks", `{"network":{"router:external":true}}`},
		{"", "alice", "POST", "/v2.0/networks", `{"network":{"colour":"red"}}`},
		{"", "alice", "POST", "/v2.0/networks", `{"network":{"mtu":"big"}}`},
		{"", "alice", "POST", "/v2.0/networks", `{"network":5}`},
		{"", "alice", "POST", "/v2.0/networks", `{"net":{}}`},
		{"", "alice", "POST", "/v2.0/networks", `{"network":{"project_id":"p2"}}`},
		{"$sub", "alice", "POST", "/v2.0/subnets", `{"subnet":{"network_id":"$net","cidr":"192.168.5.0/24","ip_version":4,"gateway_ip":"192.168.5.9","dns_nameservers":["192.168.5.1"]}}`},
		{"", "alice", "POST", "/v2.0/subnets", `{"subnet":{"network_id":"$net","cidr":"192.168.5.0/25","ip_version":4}}`},
		{"", "alice", "POST", "/v2.0/subnets", `{"subnet":{"network_id":"$net","cidr":"fd00::/64","ip_version":6}}`},
		{"", "alice", "POST", "/v2.0/subnets", `{"subnet":{"network_id":"$flat","cidr":"192.168.6.0/24"}}`},
		{"", "bob", "POST", "/v2.0/subnets", `{"subnet":{"network_id":"$net","cidr":"192.168.6.0/24"}}`},
		{"", "alice", "GET", "/v2.0/subnets/$sub", ""},
		{"", "bob", "GET", "/v2.0/subnets/$sub", ""},
		{"", "alice", "PUT", "/v2.0/subnets/$sub", `{"subnet":{"name":"s","enable_dhcp":false}}`},
		{"", "alice", "PUT", "/v2.0/subnets/$sub", `{"subnet":{"cidr":"10.0.0.0/8"}}`},
		{"", "alice", "GET", "/v2.0/subnets?fields=id&fields=cidr&ip_version=4&name=s", ""},
		{"$port", "alice", "POST", "/v2.0/ports", `{"port":{"network_id":"$net","name":"p","fixed_ips":[{"ip_address":"192.168.5.77"}]}}`},
		{"", "alice", "POST", "/v2.0/ports", `{"port":{"network_id":"$net","fixed_ips":[{"ip_address":"192.168.5.77"}]}}`},
		{"", "alice", "POST", "/v2.0/ports", `{"port":{"network_id":"$net","fixed_ips":[{"ip_address":"8.8.8.8"}]}}`},
		{"", "alice", "POST", "/v2.0/ports", `{"port":{"network_id":"$net","security_groups":["$flat"]}}`},
		{"", "alice", "POST", "/v2.0/ports", `{"port":{"network_id":"mine"}}`},
		{"", "alice", "GET", "/v2.0/ports/$port", ""},
		{"", "bob", "GET", "/v2.0/ports/$port", ""},
		{"", "alice", "PUT", "/v2.0/ports/$port", `{"port":{"name":"q","admin_state_up":false}}`},
		{"", "alice", "GET", "/v2.0/ports?name=q&fixed_ips=ip_address%3D192.168.5.77&fields=name", ""},
		{"", "alice", "GET", "/v2.0/ports?device_id=nobody", ""},
		{"", "alice", "GET", "/v2.0/ports?colour=red", ""},
		{"", "alice", "GET", "/v2.0/networks/mine", ""},
		{"", "alice", "GET", "/v2.0/networks?name=mine&fields=name", ""},
		{"", "alice", "GET", "/v2.0/networks/" + absent, ""},
		{"", "alice", "PUT", "/v2.0/networks/$net", `{"network":{"name":"yours","mtu":1400}}`},
		{"", "alice", "PUT", "/v2.0/networks/$net", `{"network":{"name":"yours","admin_state_up":false}}`},
		{"", "alice", "PUT", "/v2.0/networks/$flat", `{"network":{"name":"x"}}`},
		{"", "alice", "DELETE", "/v2.0/networks/$net", ""},
		{"", "alice", "DELETE", "/v2.0/subnets/$sub", ""},
		{"", "alice", "DELETE", "/v2.0/ports/$port", ""},
		{"", "alice", "DELETE", "/v2.0/ports/$port", ""},
		{"", "alice", "GET", "/v2.0/quotas/p1/details", ""},
		{"", "alice", "DELETE", "/v2.0/subnets/$sub", ""},
		{"", "alice", "DELETE", "/v2.0/networks/$net", ""},
		{"", "alice", "DELETE", "/v2.0/networks/$net", ""},
		{"", "alice", "GET", "/v2.0/security-groups?fields=id&fields=name", ""},
		{"", "alice", "GET", "/v2.0/security-groups/$group", ""},
		{"", "bob", "GET", "/v2.0/security-groups/$group", ""},
		{"", "alice", "GET", "/v2.0/quotas/p1", ""},
		{"", "alice", "GET", "/v2.0/quotas/p2", ""},
		{"", "alice", "GET", "/v2.0/extensions/agent", ""},
		{"", "alice", "GET", "/v2.0/extensions/router", ""},
		{"", "alice", "GET", "/v2.0/availability_zones", ""},
		{"", "alice", "GET", "/v2.0/routers", ""},
		{"", "alice", "POST", "/v2.0/floatingips", "{}"},
	} {
		body, path := x.body, x.path
		for name, id := range names {
			body, path = strings.ReplaceAll(body, name, id), strings.ReplaceAll(path, name, id)
		}
		status, answer := w.do(x.token, x.method, path, body)
		if x.keep != "" {
			var m map[string]struct{ ID string }
			if err := json.Unmarshal([]byte(answer), &m); err != nil {
				t.Fatal(err)
			}
			for _, v := range m {
				names[x.keep] = v.ID
			}
		}
		fmt.Fprintf(&got, "%s %s %s %s\n%d\n%s\n\n", x.token, x.method, path, body, status, indent(answer))
	}
	golden(t, "testdata/conversation.txt", got.String())
}

// TestPortOfAServer: what the network actor gives an instance is listed by it, whether
// or not its ports follow from its id, and with others of the same moment.
func TestPortOfAServer(t *testing.T) {
	w := newWorld(t)
	flat := w.flat()
	for _, server := range []string{"01a205c8-569b-71eb-912a-95f53b697c6d", "01a205c8-569b-7222-8222-222222222222"} {
		err := w.node.Client().Tell(t.Context(), network.Ref(flat), &messages.AllocatePorts{InstanceId: server, ProjectId: "p1"})
		if err != nil {
			t.Fatal(err)
		}
		if m := <-w.heard; len(m.(*messages.PortsAllocated).Ports) != 1 {
			t.Errorf("the instance heard %v", m)
		}
		for token, want := range map[string]int{"alice": 1, "admin": 1, "bob": 0} {
			if got := w.count(token, "ports", "?device_id="+server); got != want {
				t.Errorf("%s sees %d ports of %s, want %d", token, got, server, want)
			}
		}
	}
}

// TestPortOfAUser: one that a user made and lent to a server is listed by it, too.
func TestPortOfAUser(t *testing.T) {
	w := newWorld(t)
	flat := w.flat()
	port := w.made("alice", "ports", `{"port":{"network_id":"`+flat+`","name":"kept"}}`)
	err := w.node.Client().Tell(t.Context(), network.Ref(flat), &messages.AllocatePorts{
		InstanceId: "vm", ProjectId: "p1", Requests: []*messages.NetworkRequest{{NetworkId: flat}, {NetworkId: flat, PortId: port}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if m := <-w.heard; len(m.(*messages.PortsAllocated).Ports) != 2 {
		t.Errorf("the instance heard %v", m)
	}
	for query, want := range map[string]int{
		"?device_id=vm": 2, "?device_id=vm&status=ACTIVE": 2, "?device_owner=compute:nova": 2, "?network_id=" + flat: 2,
		"?device_id=other": 0, "?mac_address=fa:16:0a:40:00:03": 1, "?status=DOWN": 0,
	} {
		for _, token := range []string{"alice", "admin"} {
			if got := w.count(token, "ports", query); got != want {
				t.Errorf("%s sees %d ports of %s, want %d", token, got, query, want)
			}
		}
		if got := w.count("bob", "ports", query); got != 0 {
			t.Errorf("bob sees %d ports of %s", got, query)
		}
	}
	if status, answer := w.do("alice", "DELETE", "/v2.0/ports/"+port, ""); status != 409 || !strings.Contains(answer, "PortInUse") {
		t.Errorf("deleting a port in use: %d %s", status, answer)
	}
	if err := w.node.Client().Tell(t.Context(), network.Ref(flat), &messages.ReleasePorts{InstanceId: "vm"}); err != nil {
		t.Fatal(err)
	}
	<-w.heard
	if got := w.count("alice", "ports", "?status=DOWN"); got != 1 {
		t.Errorf("%d ports are left, want the one a user made", got)
	}
}

func (w *world) count(token, collection, query string) int {
	w.t.Helper()
	names, _ := w.page(token, collection, query)
	return len(names)
}

// page lists the names of one page, and the query of the next.
func (w *world) page(token, collection, query string) (names []string, next string) {
	w.t.Helper()
	status, answer := w.do(token, "GET", "/v2.0/"+collection+query, "")
	var body map[string][]struct{ Name, Href string }
	if err := json.Unmarshal([]byte(answer), &body); status != 200 || err != nil {
		w.t.Fatalf("%s%s: %d %s", collection, query, status, answer)
	}
	for _, it := range body[collection] {
		names = append(names, it.Name)
	}
	for _, link := range body[collection+"_links"] {
		_, next, _ = strings.Cut(link.Href, "?")
		next = "?" + next
	}
	return names, next
}

func TestPaging(t *testing.T) {
	w := newWorld(t)
	flat := w.flat()
	var ports []string
	for i := range 7 {
		ports = append(ports, fmt.Sprintf(`{"network_id":"%s","name":"p%d"}`, flat, i))
	}
	if status, answer := w.do("alice", "POST", "/v2.0/ports", `{"ports":[`+strings.Join(ports, ",")+`]}`); status != 201 {
		t.Fatal(answer)
	}
	for i := range 5 {
		w.made("alice", "networks", fmt.Sprintf(`{"network":{"name":"n%d"}}`, i))
	}
	for _, tt := range []struct {
		token, collection, query string
		want                     int
	}{
		{"alice", "ports", "?limit=2", 7}, {"admin", "ports", "?limit=3", 7}, {"alice", "ports", "?limit=2&sort_key=name", 7},
		{"alice", "networks", "?limit=2", 6}, {"admin", "networks", "?limit=1", 6}, {"bob", "networks", "?limit=1", 1}, {"alice", "subnets", "?limit=1", 1},
		{"alice", "ports", "?limit=1&name=p3&name=p4", 2},
	} {
		seen := map[string]bool{}
		for next := tt.query; next != ""; {
			var names []string
			names, next = w.page(tt.token, tt.collection, next)
			for _, n := range names {
				if seen[n] {
					t.Errorf("%s %s%s: %s twice", tt.token, tt.collection, tt.query, n)
				}
				seen[n] = true
			}
		}
		if len(seen) != tt.want {
			t.Errorf("%s %s%s: %d things, want %d", tt.token, tt.collection, tt.query, len(seen), tt.want)
		}
	}
	if names, _ := w.page("alice", "ports", "?sort_key=name&sort_dir=desc&limit=2"); strings.Join(names, " ") != "p6 p5" {
		t.Errorf("sorted: %v", names)
	}
}

// TestBulkIsAllOrNothing: the second is refused, so the first is taken back.
func TestBulkIsAllOrNothing(t *testing.T) {
	w := newWorld(t)
	flat := w.flat()
	for collection, body := range map[string]string{
		"networks": `{"networks":[{"name":"a"},{"mtu":5}]}`,
		"subnets":  `{"subnets":[{"network_id":"` + flat + `","cidr":"10.1.0.0/24"},{"network_id":"` + flat + `","cidr":"10.1.0.0/24"}]}`,
		"ports":    `{"ports":[{"network_id":"` + flat + `"},{"network_id":"` + flat + `","fixed_ips":[{"ip_address":"1.2.3.4"}]}]}`,
	} {
		before := w.count("admin", collection, "")
		if status, answer := w.do("admin", "POST", "/v2.0/"+collection, body); status != 400 {
			t.Errorf("%s: %d %s", collection, status, answer)
		}
		if after := w.count("admin", collection, ""); after != before {
			t.Errorf("%s: %d are left of a refused request", collection, after-before)
		}
	}
}
