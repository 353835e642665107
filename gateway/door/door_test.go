package door

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

// accounts knows one token and one password.
type accounts struct{}

func (accounts) Identify(_ context.Context, c api.Credentials) (*api.User, error) {
	if c.Token == "good" || c.Username == "u" && c.Password == "p" {
		return api.NewUser("u", false, func(r api.Resource, to api.Action) bool { return r.Name == "web" && to == api.Read }), nil
	}
	return nil, messages.Denied
}

func TestEnter(t *testing.T) {
	d := &Door{Auth: accounts{}, Signed: func(_ context.Context, raw string) bool { return raw == "good" || raw == "old" }}
	for name, c := range map[string]struct {
		target  string
		header  http.Header
		status  int // 0: he enters
		ours    bool
		foreign bool
	}{
		"nobody":                       {target: "/", status: 401},
		"token in a header":            {target: "/", header: http.Header{TokenHeader: {"good"}}},
		"token in the query":           {target: "/?a=1&access%54oken=good"},
		"a bad token":                  {target: "/?accessToken=bad", status: 401},
		"bearer":                       {target: "/", header: http.Header{"Authorization": {"bearer good"}}, ours: true},
		"bearer of ours, on its way":   {target: "/", header: http.Header{"Authorization": {"Bearer good"}}, ours: true, foreign: true},
		"an old one is ours too":       {target: "/?accessToken=good", header: http.Header{"Authorization": {"Bearer old"}}, ours: true, foreign: true},
		"somebody else's bearer":       {target: "/?accessToken=good", header: http.Header{"Authorization": {"Bearer theirs"}}, foreign: true},
		"somebody else's bearer alone": {target: "/", header: http.Header{"Authorization": {"Bearer theirs"}}, foreign: true, status: 401},
		"a name and a password":        {target: "/", header: http.Header{"Authorization": {"Basic dTpw"}}, ours: true, foreign: true},
		"a password beside a token":    {target: "/?accessToken=good", header: http.Header{"Authorization": {"Basic eDp5"}}, foreign: true},
		"two of them":                  {target: "/", header: http.Header{"Authorization": {"Basic dTpw", "Bearer x"}}, status: 400},
	} {
		r := httptest.NewRequest(http.MethodGet, c.target, nil)
		if c.header != nil {
			r.Header = c.header
		}
		v, err := d.Enter(r, c.foreign)
		status := 0
		if err != nil {
			status, _ = StatusOf(err)
		}
		if status != c.status || v.Ours != c.ours {
			t.Errorf("%s: status %d, ours %v", name, status, v.Ours)
		}
		if err == nil && (v.MayRead(api.Key{Namespace: "n", Group: "g", Name: "web"}) != nil || v.MayRead(api.Key{Namespace: "n", Group: "g", Name: "db"}) == nil) {
			t.Errorf("%s: he may do something else", name)
		}
	}
}

func TestStrip(t *testing.T) {
	for query, want := range map[string]string{
		"":                                  "",
		"accessToken=x":                     "",
		"a=%20b&accessToken=x&c=d":          "a=%20b&c=d",
		"accessToken=x&a":                   "a",
		"a&accessToken=x":                   "a",
		"a=1;accessToken=x;b":               "a=1;b",
		"ACCESStoken=x&access%54oken=y&b=1": "b=1",
		"accessTokens=1":                    "accessTokens=1",
		"a=b&&c":                            "a=b&&c",
		"%zz=1&accessToken":                 "%zz=1",
	} {
		u, h := &url.URL{RawQuery: query}, http.Header{TokenHeader: {"t"}, "Accesstoken": {"t"}, "Authorization": {"mine"}}
		Visit{Ours: true}.Strip(u, h)
		if u.RawQuery != want || len(h) != 0 {
			t.Errorf("%q: left %q, %v", query, u.RawQuery, h)
		}
	}
}

func TestKey(t *testing.T) {
	for path, want := range map[string]string{
		"public/g/web":           "public g web|",
		"public/g/web/":          "public g web|/",
		"public/g/a%2Fb/x%2f/..": "public g a/b|/x%2f/..",
		"public/g":               "", "": "", "//": "", "a b/g/n": "", "n/g/%zz": "", "n/g/a@@b": "",
	} {
		key, rest, err := Key(path)
		got := strings.Join([]string{key.Namespace, key.Group, key.Name}, " ") + "|" + rest
		if err != nil {
			got = ""
		}
		if got != want {
			t.Errorf("%q is %q, want %q", path, got, want)
		}
	}
}

func FuzzDoor(f *testing.F) {
	f.Add("public/g/web/x", "a=1&accessToken=x")
	f.Add("%2F/%00/..", "access%54oken;accessToken=;&")
	f.Fuzz(func(t *testing.T, path, query string) {
		if _, rest, err := Key(path); err == nil && rest != "" && rest[0] != '/' {
			t.Errorf("%q leaves %q", path, rest)
		}
		if left := without(query); param(left) != "" || without(left) != left {
			t.Errorf("%q leaves %q", query, left)
		}
	})
}

func TestStatusOf(t *testing.T) {
	for err, want := range map[error]int{messages.Unavailable: 503, messages.Exhausted: 503, messages.Invalid: 400, errors.New("x"): 500} {
		if got, _ := StatusOf(err); got != want {
			t.Errorf("%v: %d", err, got)
		}
	}
}
