package e2e

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/config/clouds"
)

// TestQuiet: a cloud that works says nothing; its secrets are its owner's; it
// answers those who look after it; a second one over its data is refused.
func TestQuiet(t *testing.T) {
	c := newCloud(t, "--driver", "sim")
	for _, name := range []string{"openrc", "clouds.yaml", "credentials.json", "troupe.db", "token.keys"} {
		info, err := os.Stat(filepath.Join(c.data, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	auth, _, _, err := clouds.Parse(clouds.WithCloudName("troupe"), clouds.WithLocations(filepath.Join(c.data, "clouds.yaml")))
	if err != nil {
		t.Fatal(err)
	}
	base := strings.TrimSuffix(auth.IdentityEndpoint, "/identity/v3")
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready", "/metrics": "troupe_commits_total"} {
		answer, err := (&http.Client{Timeout: time.Minute}).Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d %.200s, %v", path, answer.StatusCode, body, err)
		}
	}
	if _, err := c.run(t.Context(), binary, "server", "list"); err != nil {
		t.Error(err)
	}
	second := &cloud{t: t, data: c.data, log: &tail{}, args: []string{"--driver", "sim"}}
	if err := second.start(); err == nil {
		second.kill()
		t.Error("two clouds share one folder")
	} else if !strings.Contains(second.log.String(), "another troupe uses") {
		t.Errorf("the refusal of a second cloud does not say why: %s", second.log)
	}
	if log := c.log.String(); log != "" {
		t.Errorf("a cloud that only works logs:\n%s", log)
	}
}
