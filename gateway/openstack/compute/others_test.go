package compute_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/gateway/openstack/compute"
	"github.com/troupe-cloud/troupe/messages"
)

// rightBodies are what routes of a server take, so that a refusal is about whose
// it is. A route that is not here takes none.
var rightBodies = map[string][]string{
	"PUT /servers/{id}": {`{"server":{"name":"mine"}}`},
	"POST /servers/{id}/action": {
		`{"os-start":null}`, `{"os-stop":null}`, `{"reboot":{"type":"SOFT"}}`, `{"reboot":{"type":"HARD"}}`,
		`{"forceDelete":null}`, `{"os-getConsoleOutput":{}}`,
	},
	"POST /servers/{id}/remote-consoles":       {`{"remote_console":{"protocol":"vnc","type":"novnc"}}`},
	"POST /servers/{id}/metadata":              {`{"metadata":{"a":"b"}}`},
	"PUT /servers/{id}/metadata":               {`{"metadata":{"a":"b"}}`},
	"PUT /servers/{id}/metadata/{key}":         {`{"meta":{"key":"b"}}`},
	"PUT /servers/{id}/tags":                   {`{"tags":["a"]}`},
	"POST /servers/{id}/os-interface":          {`{"interfaceAttachment":{"net_id":"` + flatNet + `"}}`},
	"POST /servers/{id}/os-volume_attachments": {`{"volumeAttachment":{"volumeId":"` + someID + `"}}`},
}

// TestOfOthers walks the table: to another project a server is not there, on any
// route, whether it exists or not, and it is the same server afterwards.
func TestOfOthers(t *testing.T) {
	w := newWorld(t, 1)
	w.ask("project", "p-user", &messages.SetQuota{Limits: map[string]int64{"instances": 20}})
	id := w.create("user", "mine", "ACTIVE")
	request := w.do("user", "2.90", "GET", "/v2.1/servers/"+id+"/os-instance-actions", "").text("instanceActions.0.request_id")
	port := w.do("user", "2.90", "GET", "/v2.1/servers/"+id+"/os-interface", "").text("interfaceAttachments.0.port_id")
	before := w.do("admin", "2.90", "GET", "/v2.1/servers/"+id, "")
	asked := 0
	for _, route := range compute.New(compute.Config{}).Dialect().Routes {
		pattern := strings.TrimPrefix(route.Pattern, "/v2.1")
		if !strings.HasPrefix(pattern, "/servers/{id}") {
			continue
		}
		bodies := rightBodies[route.Method+" "+pattern]
		if bodies == nil {
			bodies = []string{""}
		}
		for _, body := range bodies {
			for _, server := range []string{id, someID} {
				path := "/v2.1" + strings.NewReplacer(
					"{id}", server, "{key}", "key", "{tag}", "tag", "{request}", request, "{port}", port, "{network}", "flat",
				).Replace(pattern)
				a := w.do("other", "2.90", route.Method, path, body)
				want := "Instance " + server + " could not be found."
				if a.status != http.StatusNotFound || a.text("itemNotFound.message") != want {
					t.Errorf("%s %s %s: %d %s", route.Method, pattern, body, a.status, a.body)
				}
				asked++
			}
		}
	}
	if asked < 60 {
		t.Errorf("only %d requests were made: is the table read?", asked)
	}
	if after := w.do("admin", "2.90", "GET", "/v2.1/servers/"+id, ""); string(after.body) != string(before.body) {
		t.Errorf("it was changed:\n%s\n%s", before.body, after.body)
	}
}

// TestOtherThingsOfOthers: what else a project or a user has.
func TestOtherThingsOfOthers(t *testing.T) {
	w := newWorld(t, 1)
	if a := w.do("user", "2.90", "POST", "/v2.1/os-keypairs", `{"keypair":{"name":"k"}}`); a.status != http.StatusCreated {
		t.Fatal(a)
	}
	if a := w.do("admin", "2.90", "POST", "/v2.1/flavors", `{"flavor":{"name":"p","id":"private","ram":1,"vcpus":1,"disk":1,"os-flavor-access:is_public":false}}`); a.status != http.StatusOK {
		t.Fatal(a)
	}
	for request, want := range map[string]int{
		"GET /v2.1/os-keypairs/k":                            404,
		"DELETE /v2.1/os-keypairs/k":                         404,
		"GET /v2.1/os-keypairs/k?user_id=u-user":             403,
		"GET /v2.1/os-keypairs?user_id=u-user":               403,
		"DELETE /v2.1/os-keypairs/k?user_id=u-user":          403,
		"GET /v2.1/flavors/private":                          404,
		"GET /v2.1/flavors/private/os-extra_specs":           404,
		"GET /v2.1/flavors/private/os-extra_specs/a":         404,
		"GET /v2.1/os-quota-sets/p-user":                     403,
		"GET /v2.1/os-quota-sets/p-user/detail":              403,
		"GET /v2.1/os-simple-tenant-usage/p-user":            403,
		"GET /v2.1/limits?tenant_id=p-user":                  403,
		"GET /v2.1/servers?all_tenants=1&project_id=p-user":  403,
		"GET /v2.1/servers/detail?all_tenants=1&host=host-1": 403,
		"GET /v2.1/os-hypervisors/" + someID + "/uptime":     403,
		"PUT /v2.1/os-services/" + someID:                    403,
		"DELETE /v2.1/os-quota-sets/p-user":                  403,
		"PUT /v2.1/flavors/private":                          403,
		"POST /v2.1/flavors/private/action":                  403,
		"GET /v2.1/os-availability-zone/detail":              403,
	} {
		method, path, _ := strings.Cut(request, " ")
		if a := w.do("other", "2.90", method, path, "{}"); a.status != want {
			t.Errorf("%s: %d, want %d: %s", request, a.status, want, a.body)
		}
	}
}
