package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestEvacuate drives an evacuation with the unmodified client of the distribution:
// an operator declares a host down, a server is built elsewhere on its own disk,
// the process is killed, and afterwards everything is where it should be.
func TestEvacuate(t *testing.T) {
	if !has("openstack") {
		if os.Getenv("TROUPE_TEST_REQUIRE_LIBVIRT") != "" {
			t.Fatal("openstack is not installed (make test installs it)")
		}
		t.Skip("openstack is not installed")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	disks := t.TempDir()
	c := newCloud(t, "--driver", "sim", "--sim-hosts", "2", "--instances-shared", disks)
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(want string, command ...string) string {
		t.Helper()
		program := "openstack"
		if command[0] == "troupe" {
			program, command = binary, command[1:]
		}
		out, err := c.run(ctx, program, command...)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out, want) {
			t.Errorf("%s: no %q in\n%s", strings.Join(command, " "), want, out)
		}
		return strings.TrimSpace(out)
	}
	on := func() string {
		return run("sim-", "server", "show", "web", "-f", "value", "-c", "OS-EXT-SRV-ATTR:host")
	}
	run("", "troupe", "image", "create", "img", "--file", image)
	run("ACTIVE", "troupe", "server", "create", "web", "--image", "img", "--flavor", "t1.micro", "--wait")
	first := on()
	if out, err := c.run(ctx, "openstack", "--os-compute-api-version", "2.90", "server", "evacuate", "web"); err == nil {
		t.Errorf("evacuated from a host that is up:\n%s", out)
	}
	run("", "--os-compute-api-version", "2.11", "compute", "service", "set", "--down", first, "nova-compute")
	run("down", "compute", "service", "list", "--host", first, "-f", "value", "-c", "State")
	// Debian 12's client asks well, and then stumbles over its own library's answer.
	out, err := c.run(ctx, "openstack", "--os-compute-api-version", "2.90", "server", "evacuate", "web")
	if err != nil && !strings.Contains(err.Error(), "TupleWithMeta") {
		t.Fatalf("%v\n%s", err, out)
	}
	err = eventually(ctx, "the server is ACTIVE elsewhere", func() (bool, error) {
		out, err := c.run(ctx, binary, "server", "list", "-o", "json")
		return strings.Contains(out, `"ACTIVE"`) && !strings.Contains(out, `"`+first+`"`), err
	})
	if err != nil {
		t.Fatal(err)
	}
	second := on()
	if first == second {
		t.Errorf("it is on %s, where it was", first)
	}
	run("evacuate", "server", "event", "list", "web", "-f", "value", "-c", "Action")
	run(second, "--os-compute-api-version", "2.59", "server", "migration", "list", "-f", "value", "-c", "Dest Compute")

	c.kill()
	if err := c.start(); err != nil {
		t.Fatal(err)
	}
	run("", "--os-compute-api-version", "2.11", "compute", "service", "set", "--up", first, "nova-compute")
	if now := on(); now != second {
		t.Errorf("after the restart it is on %s, not on %s", now, second)
	}
	run("", "troupe", "server", "reboot", "web", "--hard", "--wait")
	run("", "troupe", "server", "delete", "web", "--wait")
	if err := eventually(ctx, "no disk is left", func() (bool, error) {
		left, err := filepath.Glob(filepath.Join(disks, ".owners", "*"))
		return len(left) == 0, errors.Join(err, fmt.Errorf("left: %v", left))
	}); err != nil {
		t.Error(err)
	}
}
