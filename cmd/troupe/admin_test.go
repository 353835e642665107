package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/spf13/pflag"

	"github.com/troupe-cloud/troupe/gateway/openstack/identity"
)

// TestResetPassword: the files have a new password, and name the addresses that they
// did before.
func TestResetPassword(t *testing.T) {
	c, err := startCloud(t.Context(), registryConfig(t), zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	read := func() *identity.Credentials {
		got, err := identity.ReadCredentials(c.config.Data)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	before := read()
	(&site{t: t}).must("admin", "reset-password", "--data", c.config.Data)
	now := read()
	if now.Password == before.Password || now.RegistryURL != "http://"+c.registry.address || now.AuthURL != before.AuthURL {
		t.Errorf("%s and %q (a new password: %v)", now.AuthURL, now.RegistryURL, now.Password != before.Password)
	}
	openrc, err := os.ReadFile(filepath.Join(c.config.Data, "openrc"))
	if err != nil || !strings.Contains(string(openrc), "TROUPE_REGISTRY_SERVER='"+now.RegistryURL+"'") {
		t.Errorf("%v, openrc:\n%s", err, openrc)
	}
}

func TestKeepAddresses(t *testing.T) { // table: one row, one state of the files and command line
	const (
		both = `{"user_id": "u", "password": "p", "auth_url": "http://127.0.0.1:3/identity/v3", "registry_url": "http://127.0.0.1:4"}`
		none = `{"user_id": "u", "password": "p", "auth_url": "http://127.0.0.1:3/identity/v3"}`
	)
	for name, tt := range map[string]struct{ file, args, listen, registry string }{
		"as they were":     {both, "", "127.0.0.1:3", "127.0.0.1:4"},
		"another API":      {both, "--listen 127.0.0.1:1", "127.0.0.1:1", "127.0.0.1:4"},
		"another registry": {both, "--registry-listen 127.0.0.1:2", "127.0.0.1:3", "127.0.0.1:2"},
		"no registry now":  {both, "--registry-listen off", "127.0.0.1:3", ""},
		"none before":      {none, "", "127.0.0.1:3", ""},
		"lost":             {"", "", defaultListen, defaultRegistry},
	} {
		config := cloudConfig{Data: t.TempDir()}
		flags := pflag.NewFlagSet("reset-password", pflag.ContinueOnError)
		config.addressFlags(flags)
		if err := flags.Parse(strings.Fields(tt.args)); err != nil {
			t.Fatal(err)
		}
		if tt.file != "" {
			if err := os.WriteFile(filepath.Join(config.Data, "credentials.json"), []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if config.keepAddresses(flags); config.Listen != tt.listen || config.RegistryListen != tt.registry {
			t.Errorf("%s: %s and %q", name, config.Listen, config.RegistryListen)
		}
	}
}
