package identity

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
	moved.BaseURL = "http://127.0.0.1:9"
	_, err = Bootstrap(t.Context(), moved)
	c.ok(err)
	raw, err := os.ReadFile(filepath.Join(c.dir, openrcFile))
	c.ok(err)
	for _, line := range []string{"export OS_AUTH_URL='http://127.0.0.1:9/identity/v3'\n", "export OS_COMPUTE_API_VERSION='2.90'\n", "export OS_IDENTITY_API_VERSION='3'\n"} {
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
