package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/imagedata"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/drivers/libvirt/flatnet"
	"github.com/troupe-cloud/troupe/drivers/libvirt/node"
)

// requireReal says why real machines cannot be had here: a skip, or a failure
// where TROUPE_TEST_REQUIRE_LIBVIRT is set, as make test does.
func requireReal(t *testing.T, programs ...string) {
	t.Helper()
	why := ""
	if os.Geteuid() != 0 {
		why = "a private libvirtd needs root"
	}
	for _, p := range append(programs, "libvirtd", "qemu-system-x86_64", "dnsmasq", "ip") {
		if !has(p) && !has("/usr/sbin/"+p) {
			why = p + " is not installed (make test installs it)"
		}
	}
	if why != "" && os.Getenv("TROUPE_TEST_REQUIRE_LIBVIRT") != "" {
		t.Fatal(why)
	}
	if why != "" {
		t.Skip(why)
	}
}

const realNet = "10.77.0.0/24" // of the guests; the gateway is the first of it

// real is a cloud over a private libvirtd in a namespace of its own.
type real struct {
	*cloud
	node  node.Node
	image string // path of the test image
	ctx   context.Context
}

func newReal(t *testing.T, more ...string) *real {
	t.Helper()
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	t.Cleanup(cancel)
	out, err := exec.CommandContext(ctx, "../scripts/build-test-image.sh").Output()
	if err != nil {
		t.Fatalf("test image: %v", err)
	}
	dir, err := os.MkdirTemp("/tmp", "tn-") // short: a socket's path is
	if err != nil {
		t.Fatal(err)
	}
	r := &real{ctx: ctx, image: strings.TrimSpace(string(out))}
	r.node = node.Node{Dir: dir, Name: "n", Namespace: fmt.Sprintf("te2e%d", os.Getpid())}
	if err := r.node.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.tearDown(t) })
	r.cloud = newCloud(t, append([]string{"--driver", "libvirt", "--libvirt-uri", r.node.URI(), "--netns", r.node.Namespace, "--flat-cidr", realNet}, more...)...)
	return r
}

// tearDown ends what may be left after the cloud has gone.
func (r *real) tearDown(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if err := r.node.Stop(ctx); err != nil {
		t.Error(err)
	}
	n, err := flatnet.Open(ctx, flatnet.Config{CIDR: netip.MustParsePrefix(realNet), Namespace: r.node.Namespace, Log: zerolog.Nop()})
	if err == nil {
		err = n.Teardown(ctx)
	}
	if err != nil {
		t.Error(err)
	}
	if err := os.RemoveAll(r.node.Dir); err != nil {
		t.Error(err)
	}
}

// TestReal boots real machines: once as a Go program does, once as the
// unmodified openstack client does.
func TestReal(t *testing.T) {
	requireReal(t)
	r := newReal(t)
	t.Run("gophercloud", r.gophercloud)
	t.Run("openstack", r.openstackClient)
}

func (r *real) gophercloud(t *testing.T) {
	c, err := r.compute(r.ctx)
	if err != nil {
		t.Fatal(err)
	}
	image := r.upload(t, c.ProviderClient)
	yes := true
	created, err := servers.Create(r.ctx, c, servers.CreateOpts{
		Name: "e2e-guest", ImageRef: image, FlavorRef: "t1.micro", Networks: "auto", ConfigDrive: &yes,
		UserData: []byte("#!/bin/sh\necho told by user data\n"), Metadata: map[string]string{"tier": "test"},
	}, nil).Extract()
	if err != nil {
		t.Fatal(err)
	}
	id := created.ID
	r.status(t, c, id, "ACTIVE")
	r.console(t, c, id, "TESTIMG META source=configdrive", "hostname=e2e-guest", "RUN: told by user data", "READY boot=1")
	if left := r.leavings(t, id); len(left) < 3 {
		t.Errorf("a running machine has only %v: the look for leavings is blind", left)
	}

	if err := servers.Reboot(r.ctx, c, id, servers.RebootOpts{Type: servers.SoftReboot}).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	r.console(t, c, id, "READY boot=2")
	r.status(t, c, id, "ACTIVE")

	if err := servers.Stop(r.ctx, c, id).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	r.status(t, c, id, "SHUTOFF")
	r.console(t, c, id, "ACPI power-button", "SHUTDOWN")

	if err := servers.Delete(r.ctx, c, id).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	err = eventually(r.ctx, "the server is gone", func() (bool, error) {
		_, err := servers.Get(r.ctx, c, id).Extract()
		return gophercloud.ResponseCodeIs(err, http.StatusNotFound), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.nothingLeft(t, c, id)
}

func (r *real) upload(t *testing.T, p *gophercloud.ProviderClient) string {
	t.Helper()
	glance, err := openstack.NewImageV2(p, gophercloud.EndpointOpts{})
	if err != nil {
		t.Fatal(err)
	}
	i, err := images.Create(r.ctx, glance, images.CreateOpts{Name: "guest", DiskFormat: "qcow2", ContainerFormat: "bare"}).Extract()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(r.image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := imagedata.Upload(r.ctx, glance, i.ID, f).ExtractErr(); err != nil {
		t.Fatal(err)
	}
	return i.ID
}

func (r *real) status(t *testing.T, c *gophercloud.ServiceClient, id, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, 4*time.Minute)
	defer cancel()
	err := eventually(ctx, "status "+want, func() (bool, error) {
		s, err := servers.Get(ctx, c, id).Extract()
		if err != nil {
			return false, err
		}
		if s.Status == "ERROR" {
			t.Fatalf("the server went to ERROR: %s", s.Fault.Message)
		}
		return s.Status == want && s.TaskState == "", fmt.Errorf("it is %s/%s", s.Status, s.TaskState)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// console waits until the guest has written all of these.
func (r *real) console(t *testing.T, c *gophercloud.ServiceClient, id string, wants ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(r.ctx, 4*time.Minute)
	defer cancel()
	var out string
	err := eventually(ctx, fmt.Sprintf("%q on the console", wants), func() (bool, error) {
		var err error
		if out, err = servers.ShowConsoleOutput(ctx, c, id, servers.ShowConsoleOutputOpts{}).Extract(); err != nil {
			return false, err
		}
		for _, want := range wants {
			if !strings.Contains(out, want) {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		t.Fatalf("%v; it has:\n%s", err, out)
	}
}

// leavings is what of a machine can be seen on this host.
func (r *real) leavings(t *testing.T, id string) (left []string) {
	t.Helper()
	for what, pattern := range map[string]string{
		"disk":   filepath.Join(r.data, "instances", id),
		"domain": filepath.Join(r.node.Dir, "n/etc/qemu/*"+id+"*"),
		"pid":    filepath.Join(r.node.Dir, "n/run/qemu/*"+id+"*.pid"),
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) > 0 {
			left = append(left, what)
		}
	}
	links, err := exec.CommandContext(r.ctx, "ip", "-n", r.node.Namespace, "-o", "link").Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(links), "tap") || strings.Contains(string(links), "vnet") {
		left = append(left, "tap")
	}
	return left
}

func (r *real) nothingLeft(t *testing.T, c *gophercloud.ServiceClient, id string) {
	t.Helper()
	if left := r.leavings(t, id); len(left) > 0 {
		t.Errorf("left on the host: %v", left)
	}
	neutron, err := openstack.NewNetworkV2(c.ProviderClient, gophercloud.EndpointOpts{})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := ports.List(neutron, ports.ListOpts{DeviceID: id}).AllPages(r.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if all, err := ports.ExtractPorts(pages); err != nil || len(all) > 0 {
		t.Errorf("ports are left: %v, %v", all, err)
	}
	k := killing{ctx: r.ctx}
	err = eventually(r.ctx, "claims and quota are given back", func() (bool, error) {
		return k.nothingElse(c, r.projectID(t), 0)
	})
	if err != nil {
		t.Error(err)
	}
}

func (r *real) projectID(t *testing.T) string {
	t.Helper()
	out, err := r.run(r.ctx, binary, "image", "list", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(out, `"owner": "`)
	id, _, _ := strings.Cut(rest, `"`)
	return id
}
