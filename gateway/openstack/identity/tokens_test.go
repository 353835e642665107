package identity

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestTokens(t *testing.T) {
	c := newCloud(t)
	user, project := c.user("ann")
	a := c.want(201, "POST", "/v3/auth/tokens", "", passwordBody("ann", "pw-ann", onProject(project)))
	token := a.header.Get("X-Subject-Token")
	for path, want := range map[string]string{
		"token.user.id": user, "token.user.domain.name": "Default", "token.project.id": project, "token.project.domain.id": "default",
		"token.methods.0": "password", "token.roles.0.name": "member", "token.catalog.0.type": "identity",
		"token.catalog.1.endpoints.0.url": c.url + "/compute/v2.1", "token.catalog.1.endpoints.0.region_id": "RegionOne",
		"token.catalog.2.endpoints.2.url": c.url + "/volume/v3/" + project,
	} {
		got := a.text(path)
		if path == "token.roles.0.name" && got == "reader" {
			got = a.text("token.roles.1.name")
		}
		if got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if !regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`).MatchString(a.text("token.expires_at")) {
		t.Errorf("expires_at: %s", a.text("token.expires_at"))
	}
	for _, method := range []string{"GET", "HEAD"} {
		if got := c.want(200, method, "/v3/auth/tokens", token, "", "X-Subject-Token", token); got.header.Get("X-Subject-Token") != token {
			t.Errorf("%s: %v", method, got.header)
		}
	}
	if got := c.want(200, "GET", "/v3/auth/tokens?nocatalog", token, "", "X-Subject-Token", token); got.at("token.catalog") != nil {
		t.Error("a catalog that was not wanted")
	}
	c.want(404, "GET", "/v3/auth/tokens", token, "", "X-Subject-Token", "forged")
	c.want(400, "GET", "/v3/auth/tokens", token, "")
	c.want(403, "GET", "/v3/auth/tokens", token, "", "X-Subject-Token", c.adminToken())

	child := c.want(201, "POST", "/v3/auth/tokens", "", fmt.Sprintf(`{"auth":{"identity":{"methods":["token"],"token":{"id":%q}}}}`, token))
	if child.text("token.expires_at") != a.text("token.expires_at") || child.text("token.audit_ids.1") != a.text("token.audit_ids.0") {
		t.Errorf("token of a token: %s", child.raw)
	}
	if child.at("token.project") != nil {
		t.Errorf("a token of a token is unscoped unless asked: %s", child.raw)
	}
	c.want(204, "DELETE", "/v3/auth/tokens", token, "", "X-Subject-Token", token)
	c.want(401, "GET", "/v3/auth/projects", token, "")
	c.want(200, "GET", "/v3/auth/projects", child.header.Get("X-Subject-Token"), "")
}

func TestWrongLogins(t *testing.T) {
	c := newCloud(t)
	_, project := c.user("ann")
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	for name, tt := range map[string]struct {
		body   string
		status int
	}{
		"wrong password":         {passwordBody("ann", "no", ""), 401},
		"unknown user":           {passwordBody("bob", "pw-ann", ""), 401},
		"another's project":      {passwordBody("ann", "pw-ann", onProject(c.admin.ProjectID)), 401},
		"unknown project":        {passwordBody("ann", "pw-ann", onProject("nowhere")), 401},
		"unknown domain":         {`{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"ann","domain":{"id":"x"},"password":"pw-ann"}}}}}`, 401},
		"huge password":          {passwordBody("ann", strings.Repeat("x", MaxPasswordBytes+1), ""), 401},
		"no domain":              {`{"auth":{"identity":{"methods":["password"],"password":{"user":{"name":"ann","password":"pw-ann"}}}}}`, 400},
		"method without body":    {`{"auth":{"identity":{"methods":["password"]}}}`, 400},
		"no method":              {`{"auth":{"identity":{"methods":[]}}}`, 400},
		"unknown method":         {`{"auth":{"identity":{"methods":["magic"]}}}`, 401},
		"methods of wrong type":  {`{"auth":{"identity":{"methods":"password"}}}`, 400},
		"scope of wrong type":    {passwordBody("ann", "pw-ann", `7`), 400},
		"project without domain": {passwordBody("ann", "pw-ann", `{"project":{"name":"of-ann"}}`), 400},
		"forged token":           {`{"auth":{"identity":{"methods":["token"],"token":{"id":"AAAA"}}}}`, 401},
		"two users": {`{"auth":{"identity":{"methods":["password","token"],"token":{"id":"` + c.adminToken() + `"},
			"password":{"user":{"name":"ann","domain":{"id":"default"},"password":"pw-ann"}}}}}`, 401},
		"not an object":   {`[]`, 400},
		"not JSON":        {`{"auth"`, 400},
		"empty":           {``, 400},
		"too deep":        {deep, 400},
		"too large":       {`{"auth":"` + strings.Repeat("x", maxBody) + `"}`, 413},
		"good":            {passwordBody("ann", "pw-ann", `{"project":{"name":"of-ann","domain":{"name":"Default"}}}`), 201},
		"unscoped":        {passwordBody("admin", c.admin.Password, `"unscoped"`), 201},
		"unscoped object": {passwordBody("admin", c.admin.Password, `{"unscoped":{}}`), 201},
		"domain":          {passwordBody("admin", c.admin.Password, `{"domain":{"id":"default"}}`), 201},
	} {
		a := c.do("POST", "/v3/auth/tokens", "", tt.body)
		if a.status != tt.status || (tt.status >= 400 && a.at("error.code") != float64(tt.status)) {
			t.Errorf("%s: %d, want %d: %s", name, a.status, tt.status, a.raw)
		}
		if strings.HasPrefix(name, "unscoped") && (a.at("token.project") != nil || a.at("token.catalog") != nil) {
			t.Errorf("%s: %s", name, a.raw)
		}
	}
	_ = project
	if strings.Contains(c.log.String(), "pw-ann") || strings.Contains(c.log.String(), c.admin.Password) {
		t.Error("a password stands in the log")
	}
}

func TestTokensEnd(t *testing.T) {
	c := newCloud(t)
	admin := c.adminToken()
	role := c.want(200, "GET", "/v3/roles?name=member", admin, "").text("roles.0.id")
	for name, end := range map[string]func(user, project string){
		"role":     func(u, p string) { c.want(204, "DELETE", "/v3/projects/"+p+"/users/"+u+"/roles/"+role, admin, "") },
		"disabled": func(u, _ string) { c.want(200, "PATCH", "/v3/users/"+u, admin, `{"user":{"enabled":false}}`) },
		"password": func(u, _ string) { c.want(200, "PATCH", "/v3/users/"+u, admin, `{"user":{"password":"new"}}`) },
		"deleted":  func(u, _ string) { c.want(204, "DELETE", "/v3/users/"+u, admin, "") },
		"project":  func(_, p string) { c.want(204, "DELETE", "/v3/projects/"+p, admin, "") },
		"closed":   func(_, p string) { c.want(200, "PATCH", "/v3/projects/"+p, admin, `{"project":{"enabled":false}}`) },
	} {
		user, project := c.user(name)
		token := c.login(name, "pw-"+name, project)
		c.want(200, "GET", "/v3/auth/catalog", token, "")
		end(user, project)
		if a := c.do("GET", "/v3/auth/catalog", token, ""); a.status != 401 {
			t.Errorf("%s: %d %s", name, a.status, a.raw)
		}
	}
	_, project := c.user("eve")
	token := c.login("eve", "pw-eve", project)
	c.offset.Store(int64(DefaultTokenLife + time.Second))
	c.want(401, "GET", "/v3/auth/catalog", token, "")
}

func TestLockout(t *testing.T) {
	c := newCloud(t)
	_, project := c.user("ann")
	for range 10 {
		c.want(401, "POST", "/v3/auth/tokens", "", passwordBody("ann", "guess", ""))
	}
	c.want(401, "POST", "/v3/auth/tokens", "", passwordBody("ann", "pw-ann", onProject(project)))
	c.adminToken() // others are not locked out
}

func TestKeys(t *testing.T) {
	c := newCloud(t)
	token := c.adminToken()
	for range MaxKeys - 1 {
		c.ok(c.is.cfg.Keys.Rotate(t.Context(), time.Now()))
	}
	c.want(200, "GET", "/v3/users", token, "")
	again, err := OpenKeys(c.dir, time.Now())
	c.ok(err)
	if _, _, err := again.open(t.Context(), token); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	c.ok(again.Rotate(t.Context(), time.Now()))
	if _, _, err := again.open(t.Context(), token); err == nil {
		t.Error("a token outlived its key")
	}
}

func TestForgedTokens(t *testing.T) {
	c := newCloud(t)
	token := c.adminToken()
	other, err := OpenKeys(t.TempDir(), time.Now())
	c.ok(err)
	claims, _, err := c.is.cfg.Keys.open(t.Context(), token)
	c.ok(err)
	alien, err := other.seal(t.Context(), claims)
	c.ok(err)
	forged := []string{"", "x", alien, token + "A", strings.Repeat("A", maxTokenBytes+1), "=" + token}
	for i := 0; i < len(token); i += 7 {
		b := []byte(token)
		b[i] ^= 1
		forged = append(forged, string(b))
	}
	for _, f := range forged {
		if _, err := c.is.Authenticate(t.Context(), f); err == nil {
			t.Errorf("let in: %.40q", f)
		}
	}
}

func FuzzOpenToken(f *testing.F) {
	keys, err := OpenKeys(f.TempDir(), time.Now())
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"", "AQ", "AQAAAAA", strings.Repeat("AQ", 60), "é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if _, _, err := keys.open(t.Context(), token); err == nil {
			t.Errorf("opened %q", token)
		}
	})
}

func FuzzParseLogin(f *testing.F) {
	for _, s := range []string{passwordBody("a", "b", `"unscoped"`), passwordBody("a", "b", onProject("p")), `{"auth":{"identity":{"methods":["token"],"token":{"id":"x"}}}}`,
		`{"auth":{"identity":{"methods":["application_credential"],"application_credential":{"id":"x","secret":"y"}}}}`, `{"auth":null}`, `[]`, `{"auth":{"identity":{"methods":[null]}}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := parseLogin(raw)
		if err == nil && (len(l.methods) == 0 || len(l.methods) > maxMethods) {
			t.Errorf("%q: %v", raw, l.methods)
		}
	})
}
