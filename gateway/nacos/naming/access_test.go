package naming_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/naming"
)

// TestAccess holds every route to a permission: who may only read changes nothing,
// and what is about all namespaces is for administrators.
func TestAccess(t *testing.T) {
	open := map[string]bool{"/v1/ns/health/server": true}
	admins := []string{"/client", "/v1/ns/service/names", "/prometheus"}
	for _, r := range (&naming.API{}).Routes() {
		line := r.Method + " " + r.Pattern
		switch {
		case r.Access.Public:
			if !open[r.Pattern] {
				t.Errorf("%s is open to everybody", line)
			}
		case r.Method != http.MethodGet:
			if r.Access.Action != api.Write {
				t.Errorf("%s changes something and needs %q", line, r.Access.Action)
			}
		case r.Access.Action == "" && !r.Access.Known:
			if !contains(admins, r.Pattern) {
				t.Errorf("%s is for administrators alone", line)
			}
		case r.Access.Action == "":
			if !strings.HasSuffix(r.Pattern, "/selector/types") && !strings.HasSuffix(r.Pattern, "/checkers") {
				t.Errorf("%s is for everybody who has logged in", line)
			}
		case r.Access.Action != api.Read:
			t.Errorf("%s reads and needs %q", line, r.Access.Action)
		}
	}
}

func contains(parts []string, pattern string) bool {
	for _, p := range parts {
		if strings.Contains(pattern, p) {
			return true
		}
	}
	return false
}

// TestResources says what a permission has to be about, where the request does not
// say it by the usual parameters.
func TestResources(t *testing.T) {
	for target, want := range map[string]api.Resource{
		"GET /v1/ns/instance/statuses?key=dev%23%23g@@s":      {Namespace: "dev", Group: "g", Type: api.Naming, Name: "s"},
		"GET /v1/ns/instance/statuses?key=s":                  {Namespace: "public", Group: "DEFAULT_GROUP", Type: api.Naming, Name: "s"},
		"GET /prometheus/namespaceId/dev":                     {Namespace: "dev", Type: api.Naming},
		"GET /prometheus/namespaceId/dev/service/g@@s":        {Namespace: "dev", Group: "g", Type: api.Naming, Name: "s"},
		"GET /v1/ns/service/list?namespaceId=dev&groupName=g": {Namespace: "dev", Group: "g", Type: api.Naming},
		"GET /v1/ns/catalog/services?namespaceId=dev":         {Namespace: "dev", Type: api.Naming},
	} {
		method, path, _ := strings.Cut(target, " ")
		u, err := url.Parse(path)
		if err != nil {
			t.Fatal(err)
		}
		mux, got := http.NewServeMux(), api.Resource{}
		for _, r := range (&naming.API{}).Routes() {
			if r.Access.Resource == nil {
				continue
			}
			mux.HandleFunc(r.Method+" "+r.Pattern, func(_ http.ResponseWriter, raw *http.Request) {
				got = r.Access.Resource(&api.Request{Request: raw, Params: raw.URL.Query()})
			})
		}
		mux.ServeHTTP(nil, &http.Request{Method: method, URL: u})
		if got != want {
			t.Errorf("%s: got %+v, want %+v", target, got, want)
		}
	}
}
