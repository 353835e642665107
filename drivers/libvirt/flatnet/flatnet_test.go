//go:build linux

package flatnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

func TestConfig(t *testing.T) {
	for name, tt := range map[string]struct {
		cfg  Config
		want error
	}{
		"a subnet is enough":     {Config{CIDR: netip.MustParsePrefix("10.64.0.0/12")}, nil},
		"no subnet":              {Config{}, messages.Invalid},
		"IPv6":                   {Config{CIDR: netip.MustParsePrefix("fd00::/64")}, messages.Invalid},
		"no room for a guest":    {Config{CIDR: netip.MustParsePrefix("10.0.0.0/31")}, messages.Invalid},
		"gateway elsewhere":      {Config{CIDR: netip.MustParsePrefix("10.0.0.0/24"), Gateway: netip.MustParseAddr("10.0.1.1")}, messages.Invalid},
		"a name with an option":  {Config{CIDR: netip.MustParsePrefix("10.0.0.0/24"), Bridge: "-x"}, messages.Invalid},
		"a name that is a path":  {Config{CIDR: netip.MustParsePrefix("10.0.0.0/24"), Namespace: "../x"}, messages.Invalid},
		"an MTU no guest accept": {Config{CIDR: netip.MustParsePrefix("10.0.0.0/24"), MTU: 100}, messages.Invalid},
	} {
		if err := tt.cfg.complete(); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

func TestLine(t *testing.T) {
	n := &Network{cfg: Config{CIDR: netip.MustParsePrefix("10.88.0.0/24"), Gateway: netip.MustParseAddr("10.88.0.1")}}
	for name, tt := range map[string]struct {
		lease drivers.Lease
		want  string // empty: refused
	}{
		"complete":            {drivers.Lease{MAC: "FA:16:3E:00:00:01", Address: "10.88.0.5", Hostname: "a.example"}, "fa:16:3e:00:00:01,10.88.0.5,a\n"},
		"no name":             {drivers.Lease{MAC: "fa:16:3e:00:00:01", Address: "10.88.0.5"}, "fa:16:3e:00:00:01,10.88.0.5\n"},
		"a name with options": {drivers.Lease{MAC: "fa:16:3e:00:00:01", Address: "10.88.0.5", Hostname: "a,set:x"}, "fa:16:3e:00:00:01,10.88.0.5\n"},
		"another subnet":      {drivers.Lease{MAC: "fa:16:3e:00:00:01", Address: "10.89.0.5"}, ""},
		"the gateway's":       {drivers.Lease{MAC: "fa:16:3e:00:00:01", Address: "10.88.0.1"}, ""},
		"no MAC":              {drivers.Lease{MAC: "x", Address: "10.88.0.5"}, ""},
	} {
		got, err := n.line(tt.lease)
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

// open makes a real network for a test, torn down afterwards.
func open(t *testing.T) *Network {
	t.Helper()
	if os.Geteuid() != 0 {
		skip(t, "not root")
	}
	if _, err := exec.LookPath("dnsmasq"); err != nil {
		skip(t, "dnsmasq is not installed")
	}
	name := "trt" + uuid.NewString()[:8]
	n, err := Open(t.Context(), testConfig(name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Teardown(context.Background()); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(nsPath(name)); err == nil {
			t.Error("the namespace is still there")
		}
	})
	return n
}

func testConfig(name string) Config {
	return Config{CIDR: netip.MustParsePrefix("10.88.0.0/24"), MTU: 1400, Namespace: name}
}

func skip(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("TROUPE_TEST_REQUIRE_LIBVIRT") == "1" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// client is a machine on the bridge: a namespace of its own, joined by a veth.
func client(t *testing.T, n *Network, mac string) (ns string) {
	t.Helper()
	ns = n.cfg.Namespace + mac[len(mac)-2:]
	peer := "v" + ns[len(ns)-8:]
	for _, args := range [][]string{
		{"netns", "add", ns},
		{"-n", ns, "link", "add", "eth0", "address", mac, "type", "veth", "peer", "name", peer, "netns", n.cfg.Namespace},
		{"-n", n.cfg.Namespace, "link", "set", peer, "master", n.cfg.Bridge, "up"},
		{"-n", ns, "link", "set", "eth0", "up"},
	} {
		if err := run(t.Context(), "ip", args...); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = run(context.Background(), "ip", "netns", "del", ns) })
	return ns
}

// manyTries, a second each, are more than a busy machine needs to answer.
const manyTries = 60

// dhcp asks for an address and prints what was offered; empty: no answer.
func dhcp(t *testing.T, ns string, tries int) string {
	t.Helper()
	if _, err := exec.LookPath("busybox"); err != nil {
		skip(t, "busybox, for a DHCP client, is not installed")
	}
	script := filepath.Join(t.TempDir(), "script")
	text := "#!/bin/sh\n[ \"$1\" = bound ] || exit 0\nip addr add $ip/$mask dev eth0\n" +
		"echo ip=$ip mask=$mask mtu=$mtu router=$router routes=$staticroutes name=$hostname\n"
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	out, _ := output(t.Context(), "ip", "netns", "exec", ns, "busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f",
		"-t", fmt.Sprint(tries), "-T", "1", "-O", "121", "-O", "mtu", "-O", "hostname", "-s", script)
	return strings.TrimSpace(string(out))
}

const mac1, mac2 = "fa:16:3e:00:00:01", "fa:16:3e:00:00:02"

func lease(t *testing.T, n *Network, id, mac, address string) {
	t.Helper()
	if err := n.Add(t.Context(), id, []drivers.Lease{{InstanceID: id, MAC: mac, Address: address, Hostname: "a.example"}}); err != nil {
		t.Fatal(err)
	}
}

func TestGuestGetsItsAddressAndNothingElse(t *testing.T) {
	n := open(t)
	id := uuid.NewString()
	lease(t, n, id, mac1, "10.88.0.77")
	ns := client(t, n, mac1)
	want := "ip=10.88.0.77 mask=24 mtu=1400 router= routes=169.254.169.254/32 10.88.0.1 name=a"
	if got := dhcp(t, ns, manyTries); got != want {
		t.Errorf("offered %q, want %q", got, want)
	}
	if got := dhcp(t, client(t, n, mac2), 1); got != "" {
		t.Errorf("a stranger was offered %q", got)
	}
	routes, err := output(t.Context(), "ip", "-n", n.cfg.Namespace, "route", "show", "default")
	if err != nil || len(routes) > 0 {
		t.Errorf("the namespace has a way out: %q, %v", routes, err)
	}

	// The address is free for its next owner as soon as the instance is gone.
	if err := n.Remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	next := uuid.NewString()
	lease(t, n, next, mac2, "10.88.0.77")
	if got := dhcp(t, n.cfg.Namespace+mac2[len(mac2)-2:], manyTries); !strings.HasPrefix(got, "ip=10.88.0.77 ") {
		t.Errorf("the next owner was offered %q", got)
	}
	if n.Has(id) || !n.Has(next) {
		t.Error("Has tells otherwise")
	}
}

func TestGuestsCannotBorrow(t *testing.T) {
	n := open(t)
	lease(t, n, uuid.NewString(), mac1, "10.88.0.11")
	lease(t, n, uuid.NewString(), mac2, "10.88.0.12")
	honest, thief := client(t, n, mac1), client(t, n, mac2)
	plug := func(ns, mac string) {
		if err := n.Plug(t.Context(), "v"+ns[len(ns)-8:], mac); err != nil {
			t.Fatal(err)
		}
	}
	plug(honest, mac1)
	plug(thief, mac2)
	ln, err := n.Listen(t.Context(), "10.88.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	try := func(ns, address string, patience time.Duration) error {
		for _, args := range [][]string{{"addr", "flush", "dev", "eth0"}, {"addr", "add", address, "dev", "eth0"}, {"link", "set", "eth0", "up"}} {
			if err := run(t.Context(), "ip", append([]string{"-n", ns}, args...)...); err != nil {
				t.Fatal(err)
			}
		}
		return inNamespace(ns, func() error {
			c, err := net.DialTimeout("tcp4", "10.88.0.1:80", patience)
			if err == nil {
				err = c.Close()
			}
			return err
		})
	}
	if err := try(honest, "10.88.0.11/24", time.Minute); err != nil {
		t.Errorf("its own address: %v", err)
	}
	if err := try(thief, "10.88.0.12/24", time.Minute); err != nil {
		t.Errorf("the thief's own address: %v", err)
	}
	if try(thief, "10.88.0.11/24", 2*time.Second) == nil {
		t.Error("an address could be borrowed")
	}
	for _, args := range [][]string{{"link", "set", "eth0", "down"}, {"link", "set", "eth0", "address", mac1}} {
		if err := run(t.Context(), "ip", append([]string{"-n", thief}, args...)...); err != nil {
			t.Fatal(err)
		}
	}
	if try(thief, "10.88.0.11/24", 2*time.Second) == nil {
		t.Error("an address could be borrowed together with its MAC")
	}
	if err := try(honest, "10.88.0.11/24", time.Minute); err != nil {
		t.Errorf("its own address, after the theft: %v", err)
	}
}

func TestListenInside(t *testing.T) {
	n := open(t)
	ln, err := n.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if c, err := net.Dial("tcp4", ln.Addr().String()); err == nil {
		c.Close()
		t.Error("it can be reached from outside")
	}
	var c net.Conn
	err = inNamespace(n.cfg.Namespace, func() (err error) {
		c, err = net.Dial("tcp4", ln.Addr().String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	metadata, err := n.Listen(t.Context(), MetadataAddress+":80")
	if err != nil {
		t.Fatal(err)
	}
	metadata.Close()
}

func TestAdoptionAndSupervision(t *testing.T) {
	n := open(t)
	id := uuid.NewString()
	lease(t, n, id, mac1, "10.88.0.77")
	if _, err := Open(t.Context(), testConfig(n.cfg.Namespace)); !errors.Is(err, messages.Conflict) {
		t.Errorf("opened twice: %v", err)
	}
	_ = n.Close() // as the end of a process: dnsmasq goes on
	old := n.dhcp.exited

	again, err := Open(t.Context(), testConfig(n.cfg.Namespace))
	if err != nil {
		t.Fatal(err)
	}
	<-old
	defer again.dhcp.stop(context.Background())
	if !again.Has(id) || !again.pinned.has(netip.MustParseAddr("10.88.0.77")) {
		t.Error("the lease is forgotten")
	}
	ns := client(t, n, mac1)
	if err := again.dhcp.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if got := dhcp(t, ns, manyTries); !strings.HasPrefix(got, "ip=10.88.0.77 ") {
		t.Errorf("after dnsmasq was killed: %q", got)
	}
}

func FuzzLine(f *testing.F) {
	f.Add(mac1, "10.88.0.5", "a")
	n := &Network{cfg: Config{CIDR: netip.MustParsePrefix("10.88.0.0/24"), Gateway: netip.MustParseAddr("10.88.0.1")}}
	f.Fuzz(func(t *testing.T, mac, address, name string) {
		line, err := n.line(drivers.Lease{MAC: mac, Address: address, Hostname: name})
		if err == nil && (strings.Count(line, ",") > 2 || strings.Count(line, "\n") != 1 || strings.ContainsAny(line, " :=") && strings.Count(line, ":") != 5) {
			t.Errorf("line %q", line)
		}
	})
}
