package identity

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/projects"
)

// TestOpenStackClient has the unmodified client of Debian's
// python3-openstackclient administer the directory, told of the cloud by the
// clouds.yaml that bootstrap wrote. Each row is one run of it.
func TestOpenStackClient(t *testing.T) {
	program, err := exec.LookPath("openstack")
	switch {
	case err != nil:
		t.Skip("python3-openstackclient is not installed")
	case testing.Short():
		t.Skip("each run of the client takes a second or more")
	}
	c := newCloud(t)
	for _, tt := range []struct{ command, holds string }{
		{"token issue", `"project_id": "` + c.admin.ProjectID + `"`},
		{"project create --description d --property color=red --tag t1 lab", `"color": "red"`},
		{"user create --password pw --project lab --email a@b ann", `"email": "a@b"`},
		{"role add --user ann --project lab member", ``},
		{"role assignment list --user ann --project lab --names", `"User": "ann@Default"`},
		{"application credential create --role member ci", `"secret"`},
		{"project set --name lab2 lab", ``},
		{"user set --password pw2 ann", ``},
		{"catalog list", `"compute"`},
		{"domain list", `"Default"`},
		{"role remove --user ann --project lab2 member", ``},
		{"user delete ann", ``},
		{"project delete lab2", ``},
	} {
		words := strings.Fields(tt.command)
		if tt.holds != "" {
			words = append(words, "-f", "json")
		}
		cmd := exec.CommandContext(t.Context(), program, words...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "OS_CLOUD=" + CloudName,
			"OS_CLIENT_CONFIG_FILE=" + filepath.Join(c.dir, cloudsFile)}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), tt.holds) || (tt.holds != "" && !json.Valid(out)) {
			t.Errorf("openstack %s: %v\n%s", tt.command, err, out)
		}
	}
}

func TestGophercloud(t *testing.T) {
	c := newCloud(t)
	provider, err := openstack.AuthenticatedClient(t.Context(), gophercloud.AuthOptions{
		IdentityEndpoint: c.admin.AuthURL, Username: c.admin.UserName, Password: c.admin.Password,
		DomainID: c.admin.DomainID, Scope: &gophercloud.AuthScope{ProjectID: c.admin.ProjectID},
	})
	c.ok(err)
	client, err := openstack.NewIdentityV3(provider, gophercloud.EndpointOpts{Region: DefaultRegion})
	c.ok(err)
	made, err := projects.Create(t.Context(), client, projects.CreateOpts{Name: "lab", Description: "d"}).Extract()
	c.ok(err)
	got, err := projects.Get(t.Context(), client, made.ID).Extract()
	c.ok(err)
	if got.Name != "lab" || got.DomainID != "default" || !got.Enabled {
		t.Errorf("%+v", got)
	}
	c.ok(projects.Delete(t.Context(), client, made.ID).ExtractErr())
	if _, err := projects.Get(t.Context(), client, made.ID).Extract(); !gophercloud.ResponseCodeIs(err, 404) {
		t.Errorf("after the deletion: %v", err)
	}
}
