package auth

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/access"
	"github.com/troupe-cloud/troupe/actors/directory"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/nacostest"
	"github.com/troupe-cloud/troupe/gateway/openstack/identity"
	"github.com/troupe-cloud/troupe/messages"
)

// world is a cloud with an administrator and the routes of this package.
type world struct {
	*nacostest.Cloud
	t      testing.TB
	auth   *Auth
	dir    string
	admin  *identity.Credentials
	offset atomic.Int64 // by how much the gateway's clock is ahead, ns
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	w.Cloud = nacostest.Start(t, nacostest.Config{
		Kinds: []actors.Kind{directory.Kind(), access.Spec()}, Log: zerolog.Nop(),
		Auth: func(c *cluster.Client) api.Authenticator { w.auth = w.gateway(c); return w.auth },
	})
	w.Mount(w.auth.Routes(), []api.Route{{
		Method: "GET", Pattern: "/v3/secret", Form: api.Result, Access: api.Access{Action: api.Read, Resource: api.ServiceResource},
		Handle: func(r *api.Request) (api.Answer, error) { return api.Answer{Data: r.User.Name}, nil },
	}})
	var err error
	w.admin, err = identity.Bootstrap(context.Background(), identity.Setup{Client: w.Client, Dir: w.dir, BaseURL: w.URL, ComputeVersion: "2.93", HashCost: 4})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// gateway is another gateway of the same installation, or this one started again.
func (w *world) gateway(c *cluster.Client) *Auth {
	keys, err := identity.OpenKeys(w.dir, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	is, err := identity.New(identity.Config{Client: c, Keys: keys, Log: zerolog.Nop(), HashCost: 4})
	if err != nil {
		w.t.Fatal(err)
	}
	a, err := New(Config{Client: c, Identity: is, Keys: keys, Log: zerolog.Nop(), Now: func() time.Time {
		return time.Now().Add(time.Duration(w.offset.Load()))
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// later puts the clock ahead.
func (w *world) later(d time.Duration) { w.offset.Add(int64(d)) }

// do asks, and says with which status it was answered.
func (w *world) do(method, path string, form ...string) int {
	w.t.Helper()
	v := url.Values{}
	for i := 0; i < len(form); i += 2 {
		v.Set(form[i], form[i+1])
	}
	r, err := http.NewRequest(method, w.URL+"/nacos"+path+"?"+v.Encode(), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

func (w *world) want(status int, method, path string, form ...string) {
	w.t.Helper()
	if got := w.do(method, path, form...); got != status {
		w.t.Errorf("%s %s %v: %d, want %d", method, path, form, got, status)
	}
}

func (w *world) login(name, password string) string {
	w.t.Helper()
	token, _, err := w.auth.Login(context.Background(), name, password)
	if err != nil {
		w.t.Fatalf("login of %s: %v", name, err)
	}
	return token
}

func (w *world) root() string { return w.login("admin", w.admin.Password) }

func (w *world) user(name string) {
	w.t.Helper()
	w.want(200, "POST", "/v1/auth/users", "username", name, "password", "pw-"+name, "accessToken", w.root())
}

func TestPermissions(t *testing.T) {
	w := newWorld(t)
	root := w.root()
	w.user("ann")
	ann := w.login("ann", "pw-ann")
	secret := []string{"namespaceId", "dev", "serviceName", "a", "accessToken", ann}
	w.want(403, "GET", "/v3/secret", secret...)
	w.want(200, "POST", "/v1/auth/roles", "role", "r", "username", "ann", "accessToken", root)
	w.want(200, "POST", "/v1/auth/permissions", "role", "r", "resource", "dev:*:naming/*", "action", "r", "accessToken", root)
	w.want(200, "GET", "/v3/secret", secret...)
	w.want(403, "GET", "/v3/secret", "serviceName", "a", "accessToken", ann)
	w.want(403, "GET", "/v1/auth/users", "pageNo", "1", "pageSize", "9", "accessToken", ann)
	w.want(200, "DELETE", "/v3/auth/role", "role", "r", "username", "ann", "accessToken", root)
	w.want(403, "GET", "/v3/secret", secret...)
	w.want(200, "POST", "/v3/auth/role", "role", access.Admin, "username", "ann", "accessToken", root)
	w.want(200, "GET", "/v1/auth/users", "pageNo", "1", "pageSize", "9", "accessToken", ann)
	w.want(400, "DELETE", "/v1/auth/users", "username", "admin", "accessToken", ann)
}

func TestTokensHold(t *testing.T) {
	w := newWorld(t)
	token := w.root()
	again := w.gateway(w.Client) // started again, or another node
	if u, err := again.Identify(context.Background(), api.Credentials{Token: token}); err != nil || !u.Admin {
		t.Fatalf("%+v, %v", u, err)
	}
	if err := again.cfg.Keys.Rotate(context.Background(), time.Now()); err != nil {
		t.Fatal(err)
	}
	w.later(TokenLife - time.Minute)
	if _, err := again.Identify(context.Background(), api.Credentials{Token: token}); err != nil {
		t.Errorf("a minute before its end, after a rotation: %v", err)
	}
	w.later(2 * time.Minute)
	for name, a := range map[string]*Auth{"where it was made": w.auth, "elsewhere": again} {
		if _, err := a.Identify(context.Background(), api.Credentials{Token: token}); !errors.Is(err, messages.Denied) {
			t.Errorf("after its end, %s: %v", name, err)
		}
	}
}

func TestTokensEnd(t *testing.T) {
	w := newWorld(t)
	w.user("ann")
	token, elsewhere := w.login("ann", "pw-ann"), w.gateway(w.Client)
	if _, err := elsewhere.Identify(context.Background(), api.Credentials{Token: token}); err != nil {
		t.Fatal(err)
	}
	w.want(403, "PUT", "/v1/auth/users", "username", "admin", "newPassword", "x", "accessToken", token)
	w.want(200, "PUT", "/v1/auth/users", "username", "ann", "newPassword", "new", "accessToken", token)
	w.want(403, "PUT", "/v1/auth/users", "username", "ann", "newPassword", "x", "accessToken", token)
	w.want(403, "POST", "/v1/auth/login", "username", "ann", "password", "pw-ann")
	w.want(200, "POST", "/v1/auth/login", "username", "ann", "password", "new")
	w.later(DefaultRecheck)
	if _, err := elsewhere.Identify(context.Background(), api.Credentials{Token: token}); !errors.Is(err, messages.Denied) {
		t.Errorf("elsewhere, after a while: %v", err)
	}
	fresh := w.login("ann", "new")
	w.want(200, "DELETE", "/v3/auth/user", "username", "ann", "accessToken", w.root())
	w.want(403, "PUT", "/v1/auth/users", "username", "ann", "newPassword", "x", "accessToken", fresh)
}

// TestRightsElsewhere: what one gateway changes counts at another, which would not
// ask again by itself.
func TestRightsElsewhere(t *testing.T) {
	w := newWorld(t)
	w.user("ann")
	token, root, elsewhere := w.login("ann", "pw-ann"), w.root(), w.gateway(w.Client)
	elsewhere.cfg.Recheck = 24 * time.Hour
	may := func() bool {
		u, err := elsewhere.Identify(context.Background(), api.Credentials{Token: token})
		return err == nil && u.May(api.Read, api.Resource{Namespace: "dev", Group: "g", Type: api.Naming, Name: "a"})
	}
	if may() {
		t.Fatal("she may before")
	}
	until := func(want bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); may() != want; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("she may: %v", !want)
			}
		}
	}
	w.want(200, "POST", "/v1/auth/roles", "role", "r", "username", "ann", "accessToken", root)
	w.want(200, "POST", "/v1/auth/permissions", "role", "r", "resource", "dev:*:naming/*", "action", "r", "accessToken", root)
	until(true)
	w.want(200, "DELETE", "/v3/auth/role", "role", "r", "username", "ann", "accessToken", root)
	until(false)
}

func TestPasswordWithEveryCall(t *testing.T) {
	w := newWorld(t)
	w.user("ann")
	ctx, c := context.Background(), api.Credentials{Username: "ann", Password: "pw-ann"}
	for range 3 {
		if u, err := w.auth.Identify(ctx, c); err != nil || u.Name != "ann" {
			t.Fatalf("%+v, %v", u, err)
		}
	}
	if _, err := w.auth.Identify(ctx, api.Credentials{Username: "ann", Password: "no"}); !errors.Is(err, messages.Denied) {
		t.Error(err)
	}
	w.want(200, "PUT", "/v1/auth/users", "username", "ann", "newPassword", "new", "accessToken", w.root())
	if _, err := w.auth.Identify(ctx, c); !errors.Is(err, messages.Denied) {
		t.Errorf("the old password is remembered: %v", err)
	}
}

func TestNobodyIsAsked(t *testing.T) { // --no-auth
	w := newWorld(t)
	w.user("ann")
	open := Anybody{w.auth}
	server := api.NewServer(api.ServerConfig{Auth: open, Log: zerolog.Nop()})
	server.Mount(w.auth.Routes())
	ask := func(c ...string) int {
		v := url.Values{"pageNo": {"1"}, "pageSize": {"1"}}
		for i := 0; i < len(c); i += 2 {
			v.Set(c[i], c[i+1])
		}
		rec := httptest.NewRecorder()
		server.ServeHTTP(rec, httptest.NewRequest("GET", "/nacos/v3/auth/role/list?"+v.Encode(), nil))
		return rec.Code
	}
	for name, tt := range map[string]struct {
		c        api.Credentials
		accounts int
	}{
		"nobody":           {api.Credentials{}, 403},
		"a wrong token":    {api.Credentials{Token: "x"}, 403},
		"a user":           {api.Credentials{Token: w.login("ann", "pw-ann")}, 403},
		"an administrator": {api.Credentials{Token: w.root()}, 200},
	} {
		if u, err := open.Identify(context.Background(), tt.c); err != nil || !u.May(api.Write, api.Resource{Namespace: "x"}) {
			t.Errorf("%s may not use the registry: %v", name, err)
		}
		if got := ask("accessToken", tt.c.Token); got != tt.accounts {
			t.Errorf("%s and accounts: %d", name, got)
		}
	}
}

func TestBruteForce(t *testing.T) {
	w := newWorld(t)
	w.user("ann")
	w.user("bob")
	for _, name := range []string{"ann", "bob"} {
		for range directory.MaxFailures - 1 { // each counts once
			w.want(403, "POST", "/v1/auth/login", "username", name, "password", "guess")
		}
	}
	w.want(200, "POST", "/v1/auth/login", "username", "bob", "password", "pw-bob")
	w.want(403, "POST", "/v1/auth/login", "username", "ann", "password", "guess")
	w.want(403, "POST", "/v1/auth/login", "username", "ann", "password", "pw-ann") // nobody gets in for a while
	w.want(200, "POST", "/v1/auth/login", "username", "admin", "password", w.admin.Password)
}

func TestForged(t *testing.T) {
	w := newWorld(t)
	token := w.root()
	parts := strings.Split(token, ".")
	id, _, err := w.auth.cfg.Keys.Derive(context.Background(), keyPurpose)
	if err != nil {
		t.Fatal(err)
	}
	own, err := sign(claims{Subject: "admin", UserID: w.admin.UserID, ID: "x", Expires: 1 << 40}, id, []byte("guessed"))
	if err != nil {
		t.Fatal(err)
	}
	none := coding.EncodeToString([]byte(`{"alg":"none","kid":"` + id + `"}`))
	for name, bad := range map[string]string{
		"empty":                "..",
		"another key":          own,
		"no algorithm":         none + "." + parts[1] + ".",
		"the signature cut":    token[:len(token)-2],
		"another body":         parts[0] + "." + coding.EncodeToString([]byte(`{"sub":"admin"}`)) + "." + parts[2],
		"too long":             token + strings.Repeat("A", maxTokenBytes),
		"a token of the cloud": "gAAAAABlong",
	} {
		if _, err := w.auth.Identify(context.Background(), api.Credentials{Token: bad}); !errors.Is(err, messages.Denied) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestExchanges(t *testing.T) {
	w := newWorld(t)
	token := w.root()
	w.want(200, "POST", "/v1/auth/users", "username", "root", "password", "root-password", "accessToken", token)
	w.want(200, "POST", "/v1/auth/roles", "username", "root", "role", access.Admin, "accessToken", token)
	w.Run(t, "testdata/*.http")
}

func FuzzToken(f *testing.F) {
	good, err := sign(claims{Subject: "a", UserID: "1", ID: "2", Expires: 3}, "id", []byte("k"))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{good, "", "..", "a.b.c", good + ".", "eyJhbGciOiJub25lIn0.e30."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		parsed, err := parse(raw)
		if err != nil {
			return
		}
		if c, err := parsed.claims([]byte("k")); err == nil && raw != good && c.Subject == "a" && c.UserID == "1" && c.ID == "2" && c.Expires == 3 {
			t.Errorf("%q passes for %q", raw, good)
		}
		if _, err := parsed.claims([]byte("another")); err == nil {
			t.Errorf("%q has the signature of two keys", raw)
		}
	})
}
