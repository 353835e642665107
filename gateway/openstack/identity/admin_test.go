package identity

import (
	"fmt"
	"strings"
	"testing"
)

func TestVersions(t *testing.T) {
	c := newCloud(t)
	for _, path := range []string{"", "/"} {
		if a := c.want(300, "GET", path, "", ""); a.text("versions.values.0.links.0.href") != c.url+"/identity/v3/" {
			t.Error(a.raw)
		}
	}
	for _, path := range []string{"/v3", "/v3/"} {
		if a := c.want(200, "GET", path, "", ""); a.text("version.id") != "v3.14" || a.text("version.status") != "stable" {
			t.Error(a.raw)
		}
	}
}

// TestAdministration is one row a request, in order, by the administrator;
// {name} is an id that an earlier row kept.
func TestAdministration(t *testing.T) {
	c := newCloud(t)
	token, ids := c.adminToken(), map[string]string{}
	for _, tt := range []struct {
		method, path, body string
		status             int
		keep, from         string // an id of the answer
		holds              string
	}{
		{"POST", "/v3/domains", `{"domain":{"name":"lab"}}`, 201, "d", "domain.id", `"enabled":true`},
		{"GET", "/v3/domains?name=Default", ``, 200, "", "", `"id":"default"`},
		{"GET", "/v3/domains/{d}", ``, 200, "", "", `lab`},
		{"POST", "/v3/projects", `{"project":{"name":"p","domain_id":"{d}","tags":["b","a"],"color":"red","is_domain":false,"options":{}}}`, 201, "p", "project.id", `"color":"red"`},
		{"POST", "/v3/projects", `{"project":{"name":"p","domain_id":"{d}"}}`, 409, "", "", `already`},
		{"POST", "/v3/projects", `{"project":{"name":"p"}}`, 201, "p2", "project.id", `"domain_id":"default"`},
		{"POST", "/v3/projects", `{"project":{"name":7}}`, 400, "", "", `'name'`},
		{"POST", "/v3/projects", `{"project":{"name":""}}`, 400, "", "", `empty`},
		{"POST", "/v3/projects", `{"project":{"name":"n","enabled":"yes"}}`, 400, "", "", `'enabled'`},
		{"POST", "/v3/projects", `{"project":{"name":"n","strange":[1]}}`, 400, "", "", `'strange'`},
		{"POST", "/v3/projects", `{"project":{"name":"n","is_domain":true}}`, 400, "", "", `is_domain`},
		{"POST", "/v3/projects", `{"project":{"name":"` + strings.Repeat("x", 300) + `"}}`, 400, "", "", `255`},
		{"POST", "/v3/projects", `{"project":[]}`, 400, "", "", `project`},
		{"POST", "/v3/projects", `{"project":{"name":"n","domain_id":"nowhere"}}`, 404, "", "", `nowhere`},
		{"GET", "/v3/projects/{p}", ``, 200, "", "", `"tags":["a","b"]`},
		{"GET", "/v3/projects/p", ``, 404, "", "", `Could not find project`},
		{"GET", "/v3/projects?name=p&domain_id={d}", ``, 200, "", "", `{p}`},
		{"GET", "/v3/projects?limit=1", ``, 200, "", "", `marker=`},
		{"GET", "/v3/projects?limit=x", ``, 400, "", "", `limit`},
		{"PATCH", "/v3/projects/{p}", `{"project":{"name":"q","description":"d","tags":[]}}`, 200, "", "", `"tags":[]`},
		{"PATCH", "/v3/projects/{p}", `{"project":{"domain_id":"default"}}`, 400, "", "", `domain_id`},
		{"POST", "/v3/users", `{"user":{"name":"u","password":"s3cret","email":"u@x","domain_id":"{d}","options":{}}}`, 201, "u", "user.id", `"email":"u@x"`},
		{"POST", "/v3/users", `{"user":{"name":"v","password":""}}`, 400, "", "", `password`},
		{"POST", "/v3/users", `{"user":{"name":"v","options":{"ignore_lockout_failure_attempts":true}}}`, 400, "", "", `options`},
		{"GET", "/v3/users?name=u", ``, 200, "", "", `{u}`},
		{"GET", "/v3/users/{u}", ``, 200, "", "", `"password_expires_at":null`},
		{"PATCH", "/v3/users/{u}", `{"user":{"description":"x","phone":"1"}}`, 200, "", "", `"phone":"1"`},
		{"POST", "/v3/roles", `{"role":{"name":"auditor"}}`, 201, "r", "role.id", `auditor`},
		{"PATCH", "/v3/roles/{r}", `{"role":{"name":"auditors"}}`, 200, "", "", `auditors`},
		{"PUT", "/v3/projects/{p}/users/{u}/roles/{r}", ``, 204, "", "", ``},
		{"PUT", "/v3/projects/{p}/users/{u}/roles/{r}", ``, 204, "", "", ``},
		{"HEAD", "/v3/projects/{p}/users/{u}/roles/{r}", ``, 204, "", "", ``},
		{"GET", "/v3/projects/{p}/users/{u}/roles", ``, 200, "", "", `{r}`},
		{"PUT", "/v3/domains/{d}/users/{u}/roles/{r}", ``, 204, "", "", ``},
		{"PUT", "/v3/systems/{d}/users/{u}/roles/{r}", ``, 404, "", "", ``},
		{"PUT", "/v3/projects/{p}/users/{u}/roles/none", ``, 404, "", "", `role`},
		{"GET", "/v3/role_assignments?user.id={u}&include_names=True", ``, 200, "", "", `"name":"auditors"`},
		{"GET", "/v3/role_assignments?scope.project.id={p}&effective", ``, 200, "", "", `{u}`},
		{"GET", "/v3/role_assignments?group.id=x", ``, 200, "", "", `"role_assignments":[]`},
		{"GET", "/v3/users/{u}/projects", ``, 200, "", "", `{p}`},
		{"DELETE", "/v3/projects/{p}/users/{u}/roles/{r}", ``, 204, "", "", ``},
		{"DELETE", "/v3/projects/{p}/users/{u}/roles/{r}", ``, 404, "", "", ``},
		{"HEAD", "/v3/projects/{p}/users/{u}/roles/{r}", ``, 404, "", "", ``},
		{"DELETE", "/v3/roles/{r}", ``, 204, "", "", ``},
		{"GET", "/v3/services", ``, 200, "", "", `"type":"compute"`},
		{"GET", "/v3/endpoints?interface=public", ``, 200, "", "", `$(project_id)s`},
		{"GET", "/v3/regions", ``, 200, "", "", `RegionOne`},
		{"GET", "/v3/regions/none", ``, 404, "", "", `none`},
		{"DELETE", "/v3/domains/{d}", ``, 403, "", "", `disable`},
		{"PATCH", "/v3/domains/{d}", `{"domain":{"enabled":false}}`, 200, "", "", `"enabled":false`},
		{"DELETE", "/v3/domains/{d}", ``, 409, "", "", `still has`},
		{"DELETE", "/v3/projects/{p}", ``, 204, "", "", ``},
		{"DELETE", "/v3/users/{u}", ``, 204, "", "", ``},
		{"DELETE", "/v3/users/{u}", ``, 404, "", "", ``},
		{"DELETE", "/v3/domains/{d}", ``, 204, "", "", ``},
		{"GET", "/v3/groups", ``, 404, "", "", `could not be found`},
		{"PUT", "/v3/users", ``, 405, "", "", `not allowed`},
	} {
		fill := func(s string) string {
			for k, v := range ids {
				s = strings.ReplaceAll(s, "{"+k+"}", v)
			}
			return s
		}
		a := c.do(tt.method, fill(tt.path), token, fill(tt.body))
		if a.status != tt.status || !strings.Contains(a.raw, fill(tt.holds)) {
			t.Errorf("%s %s %s: %d, want %d: %s", tt.method, tt.path, tt.body, a.status, tt.status, a.raw)
		}
		if strings.Contains(a.raw, "s3cret") || strings.Contains(a.raw, "$2") || strings.Contains(a.raw, "hash") {
			t.Errorf("%s %s shows a secret: %s", tt.method, tt.path, a.raw)
		}
		if tt.keep != "" {
			ids[tt.keep] = a.text(tt.from)
		}
	}
}

// TestOwnOnly has one user look at everything that is another's.
func TestOwnOnly(t *testing.T) {
	c := newCloud(t)
	user, project := c.user("ann")
	other, others := c.user("bob")
	token := c.login("ann", "pw-ann", project)
	for request, want := range map[string]int{
		"GET /v3/users": 403, "GET /v3/projects": 403, "GET /v3/domains": 403, "GET /v3/services": 403, "GET /v3/endpoints": 403,
		"GET /v3/role_assignments": 403, "GET /v3/role_assignments?user.id=" + other: 403, "GET /v3/role_assignments?user.id=" + user: 200,
		"GET /v3/users/" + user: 200, "GET /v3/users/" + other: 403, "GET /v3/users/" + other + "/projects": 403,
		"GET /v3/projects/" + project: 200, "GET /v3/projects/" + others: 403, "GET /v3/projects/nothing": 403,
		"GET /v3/users/" + other + "/application_credentials": 403, "GET /v3/users/" + user + "/application_credentials": 200,
		"GET /v3/auth/projects": 200, "GET /v3/auth/domains": 200, "GET /v3/auth/catalog": 200, "GET /v3/roles": 200, "GET /v3/regions": 200,
		"GET /v3/domains/default": 200, "DELETE /v3/users/" + user: 403, "DELETE /v3/projects/" + project: 403, "PATCH /v3/users/" + user: 403,
		"POST /v3/users/" + other + "/password": 403, "POST /v3/users/" + other + "/application_credentials": 403,
		"PUT /v3/projects/" + project + "/users/" + user + "/roles/x": 403, "POST /v3/users": 403, "POST /v3/projects": 403,
	} {
		method, path, _ := strings.Cut(request, " ")
		if a := c.do(method, path, token, "{}"); a.status != want {
			t.Errorf("%s: %d, want %d: %s", request, a.status, want, a.raw)
		}
	}
	if a := c.want(200, "GET", "/v3/auth/projects", token, ""); a.text("projects.0.id") != project || a.at("projects.1") != nil {
		t.Error(a.raw)
	}
	c.want(401, "GET", "/v3/users", "", "")
}

func TestOwnPassword(t *testing.T) {
	c := newCloud(t)
	user, project := c.user("ann")
	token := c.login("ann", "pw-ann", project)
	path := "/v3/users/" + user + "/password"
	c.want(401, "POST", path, token, `{"user":{"original_password":"wrong","password":"new"}}`)
	c.want(400, "POST", path, token, `{"user":{"password":"new"}}`)
	c.want(204, "POST", path, token, `{"user":{"original_password":"pw-ann","password":"new"}}`)
	c.want(401, "GET", "/v3/auth/projects", token, "")
	c.login("ann", "new", project)
}

func TestApplicationCredentials(t *testing.T) {
	c := newCloud(t)
	user, project := c.user("ann")
	token := c.login("ann", "pw-ann", project)
	path := "/v3/users/" + user + "/application_credentials"
	a := c.want(201, "POST", path, token, `{"application_credential":{"name":"ci","roles":[{"name":"reader"}],"expires_at":"2099-01-01T00:00:00"}}`)
	id, secret := a.text("application_credential.id"), a.text("application_credential.secret")
	if secret == "" || a.text("application_credential.expires_at") != "2099-01-01T00:00:00.000000Z" || a.text("application_credential.roles.0.name") != "reader" {
		t.Fatal(a.raw)
	}
	body := func(secret, scope string) string {
		return fmt.Sprintf(`{"auth":{"identity":{"methods":["application_credential"],"application_credential":{"id":%q,"secret":%q}}%s}}`, id, secret, scope)
	}
	b := c.want(201, "POST", "/v3/auth/tokens", "", body(secret, ""))
	if b.text("token.project.id") != project || b.text("token.roles.0.name") != "reader" || b.at("token.roles.1") != nil || b.at("token.application_credential.restricted") != true {
		t.Error(b.raw)
	}
	byName := fmt.Sprintf(`{"auth":{"identity":{"methods":["application_credential"],"application_credential":{"name":"ci","user":{"id":%q},"secret":%q}}}}`, user, secret)
	c.want(201, "POST", "/v3/auth/tokens", "", byName)
	c.want(401, "POST", "/v3/auth/tokens", "", body("wrong", ""))
	c.want(400, "POST", "/v3/auth/tokens", "", body(secret, `,"scope":{"project":{"id":"x"}}`))
	limited := b.header.Get("X-Subject-Token")
	c.want(403, "POST", path, limited, `{"application_credential":{"name":"more"}}`)
	c.want(403, "DELETE", path+"/"+id, limited, "")
	c.want(401, "POST", "/v3/auth/tokens", "", fmt.Sprintf(`{"auth":{"identity":{"methods":["token"],"token":{"id":%q}}}}`, limited))
	c.want(409, "POST", path, token, `{"application_credential":{"name":"ci"}}`)
	c.want(404, "POST", path, token, `{"application_credential":{"name":"x","roles":[{"name":"nobody"}]}}`)
	c.want(400, "POST", path, token, `{"application_credential":{"name":"x","roles":[{"name":"admin"}]}}`)
	c.want(400, "POST", path, token, `{"application_credential":{"name":"x","expires_at":"soon"}}`)
	c.want(400, "POST", path, token, `{"application_credential":{"name":"x","access_rules":[{"path":"/"}]}}`)
	if l := c.want(200, "GET", path+"?name=ci", token, ""); l.text("application_credentials.0.id") != id || strings.Contains(l.raw, secret) {
		t.Error(l.raw)
	}
	c.want(200, "GET", path+"/"+id, token, "")
	c.want(404, "GET", path+"/none", token, "")
	c.want(204, "DELETE", path+"/"+id, token, "")
	c.want(401, "GET", "/v3/auth/projects", limited, "")
	if strings.Contains(c.log.String(), secret) {
		t.Error("a secret stands in the log")
	}
}
