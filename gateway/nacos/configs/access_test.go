package configs_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/actors/namespace"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

// somebody may do what may says; a request with the token "root" may do all, one
// without any is nobody's.
type somebody func(api.Resource, api.Action) bool

func (s somebody) Identify(_ context.Context, c api.Credentials) (*api.User, error) {
	switch c.Token {
	case "":
		return nil, api.AccessDenied.Errorf("user not found!")
	case "root":
		return api.NewUser("root", true, nil), nil
	}
	return api.NewUser("somebody", false, s), nil
}

// only makes a world of an ordinary user, who may do what may says; it is he, where
// no token is sent.
func only(may func(api.Resource, api.Action) bool) func(*cluster.Client) api.Authenticator {
	return func(*cluster.Client) api.Authenticator { return always(may) }
}

type always func(api.Resource, api.Action) bool

func (a always) Identify(ctx context.Context, c api.Credentials) (*api.User, error) {
	if c.Token == "" {
		c.Token = "his"
	}
	return somebody(a).Identify(ctx, c)
}

// TestAccess: every route refuses who has said nothing, and who may do nothing;
// but for the health, which is no secret.
func TestAccess(t *testing.T) {
	nothing := somebody(func(api.Resource, api.Action) bool { return false })
	w := newWorld(t, func(*cluster.Client) api.Authenticator { return nothing })
	known := "dataId=a&group=g&groupName=g&nid=1&id=1&ids=1&ip=127.0.0.1&content=x"
	for _, r := range w.configs.Routes() {
		if r.Access.Public {
			continue
		}
		for _, token := range []string{"", "his"} {
			if token == "his" && harmless[r.Method+" "+r.Pattern] {
				continue
			}
			target := w.URL + "/nacos" + r.Pattern + "?accessToken=" + token + "&" + known + "&Listening-Configs=a%02g%02%01"
			req, err := http.NewRequest(r.Method, target, strings.NewReader(""))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusForbidden {
				t.Errorf("%s %s with token %q: %d", r.Method, r.Pattern, token, resp.StatusCode)
			}
		}
	}
}

// harmless are routes that look at what they find: of nothing that is his, they
// tell and do nothing.
var harmless = map[string]bool{
	"GET /v1/cs/listener":                      true,
	"GET /v3/admin/cs/listener":                true,
	"GET /v3/console/cs/config/listener/ip":    true,
	"DELETE /v3/admin/cs/config/batch":         true,
	"DELETE /v3/console/cs/config/batchDelete": true,
	"GET /v3/admin/cs/config/export":           true, // by ids, as it is asked here
	"GET /v3/console/cs/config/export2":        true,
	"POST /v3/admin/cs/config/import":          true, // refused for its form first
	"POST /v3/console/cs/config/import":        true,
}

// TestAccessByIDs: a number says nothing about who may touch what it stands for.
func TestAccessByIDs(t *testing.T) {
	w := newWorld(t, only(func(what api.Resource, to api.Action) bool { return what.Namespace == "his" }))
	w.as(t, "POST", "/nacos/v1/cs/configs?dataId=a&group=g&content=secret", "", 200)
	if _, err := w.Client.Ask(t.Context(), namespace.Ref("his"), &messages.CreateNamespace{Name: "his"}); err != nil {
		t.Fatal(err)
	}
	_, raw := w.get(t, "/nacos/v1/cs/configs?show=all&dataId=a&group=g&accessToken=root")
	var info struct{ ID string }
	if err := json.Unmarshal([]byte(raw), &info); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ method, path, body string }{
		{"DELETE", "/nacos/v1/cs/configs?delType=ids&tenant=his&ids=" + info.ID, ""},
		{"DELETE", "/nacos/v3/admin/cs/config/batch?namespaceId=his&ids=" + info.ID, ""},
		{"GET", "/nacos/v1/cs/configs?export=true&tenant=his&ids=" + info.ID, ""},
		{"GET", "/nacos/v3/console/cs/config/export2?namespaceId=his&ids=" + info.ID, ""},
		{"GET", "/nacos/v1/cs/configs?export=true&tenant=", ""},
		{"GET", "/nacos/v1/cs/configs?search=blur&dataId=*&group=*&pageNo=1&pageSize=1", ""},
		{"GET", "/nacos/v1/cs/configs?search=blur&dataId=*&group=*&pageNo=1&pageSize=1&namespaceId=his", ""},
		{"POST", "/nacos/v1/cs/configs?clone=true&tenant=his", `[{"cfgId":` + info.ID + `}]`},
		{"POST", "/nacos/v1/cs/configs?clone=true&tenant=&namespace=his", `[{"cfgId":` + info.ID + `}]`},
	} {
		req, err := http.NewRequest(tt.method, w.URL+tt.path, strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s %s: %d", tt.method, tt.path, resp.StatusCode)
		}
	}
}

// as asks as the administrator.
func (w *world) as(t *testing.T, method, path, body string, want int) {
	t.Helper()
	req, err := http.NewRequest(method, w.URL+path+"&accessToken=root", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != want {
		t.Fatalf("%s %s: %d", method, path, resp.StatusCode)
	}
}
