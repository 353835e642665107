package compute_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/messages"
)

// TestPages: following the links shows every server once, however it is sorted
// and filtered.
func TestPages(t *testing.T) {
	w := newWorld(t, 1)
	w.fill("p-user", 7)
	w.create("other", "theirs", "ACTIVE")
	for _, first := range []string{
		"/v2.1/servers?limit=3", "/v2.1/servers/detail?limit=3", "/v2.1/servers?limit=3&sort_key=display_name",
		"/v2.1/servers?limit=2&name=s", "/v2.1/servers?limit=7", "/v2.1/servers",
	} {
		seen := map[string]bool{}
		for path := first; path != ""; {
			a := w.do("user", "2.90", "GET", path, "")
			if a.status != http.StatusOK {
				t.Fatalf("%s: %d %s", path, a.status, a.body)
			}
			for _, s := range a.get("servers").([]any) {
				id := s.(map[string]any)["id"].(string)
				if seen[id] {
					t.Errorf("%s shows %s twice", first, id)
				}
				seen[id] = true
			}
			path = strings.TrimPrefix(a.text("servers_links.0.href"), w.url)
		}
		if len(seen) != 7 {
			t.Errorf("%s shows %d of 7", first, len(seen))
		}
	}
	for query, want := range map[string]int{"all_tenants=1": 8, "all_tenants=true&project_id=p-other": 1, "": 0, "all_tenants=0": 0} {
		a := w.do("admin", "2.90", "GET", "/v2.1/servers?"+query, "")
		if n := len(a.get("servers").([]any)); n != want {
			t.Errorf("an administrator with %q sees %d, not %d", query, n, want)
		}
	}
}

// TestChosenAddresses: a server gets the address or the port that was asked for.
func TestChosenAddresses(t *testing.T) {
	w := newWorld(t, 1)
	const port = "66666666-6666-4666-8666-666666666666"
	w.ask("network", flatNet, &messages.CreatePort{Id: port, ProjectId: "p-user", Name: "mine", FixedIp: "10.77.1.9"})
	for networks, want := range map[string]string{
		`[{"uuid":"` + flatNet + `","fixed_ip":"10.77.2.7"}]`: "10.77.2.7",
		`[{"port":"` + port + `"}]`:                           "10.77.1.9",
	} {
		a := w.do("user", "2.90", "POST", "/v2.1/servers", strings.Replace(with(`"tags":[]`), `"none"`, networks, 1))
		if a.status != http.StatusAccepted {
			t.Fatalf("%s: %d %s", networks, a.status, a.body)
		}
		id := a.text("server.id")
		w.rests("user", id, "ACTIVE")
		if got := w.do("user", "2.90", "GET", "/v2.1/servers/"+id, "").text("server.addresses.flat.0.addr"); got != want {
			t.Errorf("%s: has %s", networks, got)
		}
	}
	a := w.do("user", "2.90", "POST", "/v2.1/servers", strings.Replace(with(`"tags":[]`), `"none"`, `[{"port":"`+port+`"}]`, 1))
	if a.status != http.StatusConflict {
		t.Errorf("a port in use: %d %s", a.status, a.body)
	}
	a = w.do("other", "2.90", "POST", "/v2.1/servers", strings.Replace(with(`"tags":[]`), `"none"`, `[{"port":"`+port+`"}]`, 1))
	if a.status != http.StatusBadRequest {
		t.Errorf("another project's port: %d %s", a.status, a.body)
	}
}

// TestAfterDeletion: what is left of a server is its history.
func TestAfterDeletion(t *testing.T) {
	w := newWorld(t, 1)
	id := w.create("user", "brief", "ACTIVE")
	if a := w.do("user", "2.1", "DELETE", "/v2.1/servers/"+id, ""); a.status != http.StatusNoContent {
		t.Fatalf("%d %s", a.status, a.body)
	}
	w.until("it is gone", func() bool { return w.do("user", "2.1", "GET", "/v2.1/servers/"+id, "").status == http.StatusNotFound })
	for path, want := range map[string]int{
		"/v2.1/servers/" + id + "/metadata":            http.StatusNotFound,
		"/v2.1/servers/" + id + "/os-instance-actions": http.StatusNotFound,
	} {
		if a := w.do("user", "2.1", "GET", path, ""); a.status != want {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	a := w.do("user", "2.21", "GET", "/v2.1/servers/"+id+"/os-instance-actions", "")
	if a.text("instanceActions.0.action") != "delete" {
		t.Errorf("history: %d %s", a.status, a.body)
	}
	if a := w.do("other", "2.21", "GET", "/v2.1/servers/"+id+"/os-instance-actions", ""); a.status != http.StatusNotFound {
		t.Errorf("history for others: %d %s", a.status, a.body)
	}
	if a := w.do("user", "2.1", "GET", "/v2.1/limits", ""); a.get("limits.absolute.totalInstancesUsed") != float64(0) {
		t.Errorf("quota is still used: %s", a.body)
	}
}
