// Package openstack_test owns what must hold for every route of every dialect,
// whatever it does: who may ask at all. It reads the dialects' own tables, so a
// new route is held to it from the first day.
package openstack_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/gateway/openstack/api/apitest"
	"github.com/troupe-cloud/troupe/gateway/openstack/compute"
	"github.com/troupe-cloud/troupe/gateway/openstack/identity"
	"github.com/troupe-cloud/troupe/gateway/openstack/image"
	"github.com/troupe-cloud/troupe/gateway/openstack/network"
	"github.com/troupe-cloud/troupe/gateway/troupe"
)

// dialects are all there are, before a cloud that is not there: a request that
// gets past who may ask ends in a panic, which is answered 500.
func dialects(t *testing.T) []api.Dialect {
	t.Helper()
	keys, err := identity.OpenKeys(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	id, err := identity.New(identity.Config{Client: struct{ cluster.Asker }{}, Keys: keys, Log: zerolog.Nop(), HashCost: 4})
	if err != nil {
		t.Fatal(err)
	}
	return []api.Dialect{
		id.Dialect(), compute.New(compute.Config{}).Dialect(), image.New(image.Config{}).Dialect(),
		network.New(network.Config{}).Dialect(), troupe.Dialect(nil, nil, nil),
	}
}

// public is what anybody may ask: which versions there are, and for a token.
var public = []string{
	"GET /identity/", "GET /identity/v3", "POST /identity/v3/auth/tokens", "GET /compute/{$}", "GET /compute/v2.1",
	"GET /image/", "GET /image/versions", "GET /network/",
}

// own is what a user of any role may change: what is the user's own.
var own = []string{
	"DELETE /identity/v3/auth/tokens", "POST /identity/v3/users/{id}/password",
	"POST /identity/v3/users/{user}/application_credentials", "DELETE /identity/v3/users/{user}/application_credentials/{id}",
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// TestWhoMayAsk walks every table: without a token 401, without the role 403, and
// nothing is changed by a route that asks for no role.
func TestWhoMayAsk(t *testing.T) {
	server := api.NewServer(api.Config{Log: zerolog.Nop(), Auth: apitest.People{
		"reader": {UserID: "u1", ProjectID: "p", Roles: []string{"reader"}},
		"member": {UserID: "u2", ProjectID: "p", Roles: []string{"member"}},
		"nobody": {UserID: "u3"},
	}})
	all := dialects(t)
	for _, d := range all {
		server.Mount(d)
	}
	ask := func(method, path, token string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader("{}"))
		r.Header.Set("Content-Type", "application/json")
		if token != "" {
			r.Header.Set("X-Auth-Token", token)
		}
		w := httptest.NewRecorder()
		server.Handler().ServeHTTP(w, r)
		return w
	}
	for _, d := range all {
		for _, route := range d.Routes {
			name := route.Method + " " + d.Prefix + route.Pattern
			path := d.Prefix + parameter.ReplaceAllString(strings.TrimSuffix(route.Pattern, "{$}"), "x")
			if route.Public != slices.Contains(public, name) {
				t.Errorf("%s: public is %v", name, route.Public)
			}
			if route.Public {
				continue
			}
			changes := route.Method != http.MethodGet && route.Method != http.MethodHead
			if changes && !route.Write && !route.Admin && !slices.Contains(own, name) {
				t.Errorf("%s may be done by readers", name)
			}
			for _, token := range []string{"", "forged"} {
				w := ask(route.Method, path, token)
				var body struct{ Error struct{ Code int } }
				_ = json.Unmarshal(w.Body.Bytes(), &body)
				if w.Code != http.StatusUnauthorized || body.Error.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") == "" {
					t.Errorf("%s with the token %q: %d %s", name, token, w.Code, w.Body)
				}
			}
			var refused []string
			if route.Write || route.Admin {
				refused = append(refused, "reader", "nobody")
			}
			if route.Admin {
				refused = append(refused, "member")
			}
			for _, token := range refused {
				if w := ask(route.Method, path, token); w.Code != http.StatusForbidden {
					t.Errorf("%s by a %s: %d %s", name, token, w.Code, w.Body)
				}
			}
		}
	}
}
