package identity

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/directory"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
)

func TestBootstrapFiles(t *testing.T) {
	c := newCloud(t)
	for _, name := range []string{credentialsFile, openrcFile, cloudsFile, keysFile} {
		info, err := os.Stat(filepath.Join(c.dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	again, err := Bootstrap(t.Context(), c.setup())
	if err != nil || *again != *c.admin {
		t.Errorf("a second start: %v %v", again, err)
	}
	moved := c.setup()
	moved.BaseURL, moved.RegistryURL = "http://127.0.0.1:9", "http://127.0.0.1:10"
	_, err = Bootstrap(t.Context(), moved)
	c.ok(err)
	raw, err := os.ReadFile(filepath.Join(c.dir, openrcFile))
	c.ok(err)
	for _, line := range []string{"export OS_AUTH_URL='http://127.0.0.1:9/identity/v3'\n", "export OS_COMPUTE_API_VERSION='2.90'\n", "export OS_IDENTITY_API_VERSION='3'\n", "export TROUPE_REGISTRY_SERVER='http://127.0.0.1:10'\n"} {
		if !strings.Contains(string(raw), line) {
			t.Errorf("openrc lacks %q", line)
		}
	}
}

func TestLostPassword(t *testing.T) {
	c := newCloud(t)
	token := c.adminToken()
	c.ok(os.Remove(filepath.Join(c.dir, credentialsFile)))
	if _, err := Bootstrap(t.Context(), c.setup()); !errors.Is(err, ErrLost) || !strings.Contains(err.Error(), "reset-password") {
		t.Fatalf("%v", err)
	}
	fresh, err := ResetAdmin(t.Context(), c.setup())
	c.ok(err)
	if fresh.Password == c.admin.Password {
		t.Error("the password is the old one")
	}
	c.login("admin", fresh.Password, fresh.ProjectID)
	c.is.changes.Add(1) // as after Recheck: the reset came from elsewhere
	c.want(401, "GET", "/v3/users", token, "")
	_, err = Bootstrap(t.Context(), c.setup())
	c.ok(err)
}

func TestFilesMustBePrivate(t *testing.T) {
	c := newCloud(t)
	for _, name := range []string{credentialsFile, keysFile} {
		c.ok(os.Chmod(filepath.Join(c.dir, name), 0o644))
	}
	if _, err := Bootstrap(t.Context(), c.setup()); err == nil {
		t.Error("read credentials that all may read")
	}
	if _, err := OpenKeys(c.dir, c.is.cfg.Now()); err == nil {
		t.Error("read keys that all may read")
	}
}

// TestGatewaysShareTheAdministrator: gateways with folders of their own that start
// at once, or later, all know the one password.
func TestGatewaysShareTheAdministrator(t *testing.T) {
	node, err := cluster.Start(t.Context(), cluster.Config{Name: "test", Store: mem.New(), Kinds: []actors.Kind{directory.Kind()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = node.Stop(context.Background()) })
	shared := &sharedStore{}
	setup := func(url string) Setup {
		return Setup{Client: node.Client(), Dir: t.TempDir(), BaseURL: url, ComputeVersion: "2.93", HashCost: 4, Shared: shared}
	}
	got := make([]*Credentials, 4)
	setups := make([]Setup, len(got))
	var start sync.WaitGroup
	for i := range got {
		setups[i] = setup("http://h" + string(rune('0'+i)))
		start.Go(func() {
			var err error
			if got[i], err = Bootstrap(t.Context(), setups[i]); err != nil {
				t.Error(err)
			}
		})
	}
	start.Wait()
	late, err := Bootstrap(t.Context(), setup("http://late"))
	if err != nil || t.Failed() {
		t.Fatal(err)
	}
	for i, c := range got {
		if c.Password != late.Password || c.UserID != late.UserID || c.AuthURL == late.AuthURL {
			t.Errorf("gateway %d has %+v, the late one %+v", i, c, late)
		}
	}
	fresh, err := ResetAdmin(t.Context(), setups[0])
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Bootstrap(t.Context(), setups[1]); err != nil || again.Password != fresh.Password {
		t.Errorf("after a reset elsewhere: %v", err)
	}
}
