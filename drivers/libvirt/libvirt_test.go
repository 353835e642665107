//go:build cgo && !nolibvirt && linux

package libvirt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/drivers/drivertest"
	"github.com/troupe-cloud/troupe/drivers/libvirt/flatnet"
	"github.com/troupe-cloud/troupe/drivers/libvirt/node"
	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/leaktest"
)

func TestConformance(t *testing.T) {
	r := realHypervisor(t)
	boots := map[string]int{}
	half := 0
	drivertest.Run(t, func(t *testing.T) drivertest.Fixture {
		return drivertest.Fixture{
			Driver: r.driver, Spec: r.spec, Broken: r.broken(t), Leavings: r.leavings,
			Epoch: r.newEpoch(), Second: r.second,
			Half: func(t *testing.T, s *messages.DomainSpec) {
				half++
				r.half(t, s, half%2 == 0)
			},
			Crash:   r.killQEMU,
			Cut:     r.restart,
			Foreign: r.foreign,
			Booted: func(t *testing.T, id string) {
				boots[id]++
				r.console(t, id, "TESTIMG READY", boots[id])
			},
		}
	})
}

// TestSharedStorage moves a disk between two hypervisors on one folder.
func TestSharedStorage(t *testing.T) {
	r := realHypervisor(t)
	b := node.Node{Dir: r.dir, Name: "b", Namespace: r.node.Namespace}
	must(t, b.Start(t.Context()))
	t.Cleanup(func() { must(t, b.Stop(context.Background())) })
	dir := filepath.Join(r.dir, "shared")
	driver := func(name, uri string) *Driver {
		d, err := New(t.Context(), Config{URI: uri, Dir: dir, Shared: true, Images: r.images, Network: r.net, Name: name,
			SocketDir: filepath.Join(r.dir, name), Log: zerolog.New(os.Stderr).Level(zerolog.ErrorLevel)})
		must(t, err)
		t.Cleanup(func() { must(t, d.Close()) })
		return d
	}
	first, second := driver("first", r.node.URI()), driver("second", b.URI())
	drivertest.RunSome(t, func(*testing.T) drivertest.Fixture {
		return drivertest.Fixture{
			Driver: first, Spec: r.spec, Epoch: r.newEpoch(),
			Neighbour: func(*testing.T) drivers.Driver { return second },
			Leavings: func(t *testing.T, id string) (left []string) {
				if _, err := os.Lstat(first.cfg.instanceDir(id)); err == nil {
					left = append(left, first.cfg.instanceDir(id))
				}
				if owners, _ := filepath.Glob(filepath.Join(dir, ".owners", id)); len(owners) > 0 {
					left = append(left, owners...)
				}
				return left
			},
		}
	}, "release")
	drivertest.RunSome(t, func(*testing.T) drivertest.Fixture {
		return drivertest.Fixture{
			Driver: first, Spec: r.spec, Epoch: r.newEpoch(),
			Neighbour: func(*testing.T) drivers.Driver { return second },
		}
	}, "share")
}

// second is another driver of the same hypervisor.
func (r *real) second(t *testing.T, halfway func()) drivers.Driver {
	t.Helper()
	d, err := New(t.Context(), r.driver.cfg)
	must(t, err)
	d.halfway = func(string) { halfway() }
	t.Cleanup(func() { must(t, d.Close()) })
	return d
}

// newEpoch is one that no test has used.
func (r *real) newEpoch() uint64 {
	r.epoch += drivertest.EpochStep
	return r.epoch
}

// at is the fence of an order in the newest epoch.
func (r *real) at(order uint64) drivers.Fence {
	return drivers.Fence{Epoch: r.epoch + drivertest.EpochStep, Order: order}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// restart ends libvirtd and starts it again. Guests live through it.
func (r *real) restart(t *testing.T) {
	t.Helper()
	must(t, r.node.Kill(t.Context()))
	must(t, r.node.Start(t.Context()))
}

// half is what a build leaves that was cut off: files without a definition, or
// a definition that was never started.
func (r *real) half(t *testing.T, s *messages.DomainSpec, defined bool) {
	t.Helper()
	m, err := r.driver.files(t.Context(), s, r.images[s.GetImageSha256()])
	must(t, err)
	must(t, r.driver.cfg.tellNetwork(t.Context(), s.GetInstanceId()))
	if !defined {
		must(t, os.WriteFile(m.disk, []byte("half a disk"), 0o600))
		return
	}
	text, err := domainXML(s, m)
	must(t, err)
	r.define(t, text)
}

func (r *real) foreign(t *testing.T, id string) func() bool {
	t.Helper()
	const xml = `<domain type='qemu'><name>%s</name><uuid>%s</uuid><memory unit='MiB'>64</memory>
		<os><type arch='x86_64' machine='pc'>hvm</type></os><description>somebody's</description></domain>`
	name := namePrefix + id // even our kind of name does not make it ours
	r.define(t, fmt.Sprintf(xml, name, id))
	r.virsh(t, "start", name)
	t.Cleanup(func() {
		r.virsh(t, "destroy", name)
		r.virsh(t, "undefine", name)
	})
	return func() bool {
		return strings.TrimSpace(r.virsh(t, "domstate", name)) == "running" &&
			!strings.Contains(r.virsh(t, "dumpxml", name), metadataURI)
	}
}

// broken makes images and specs that must be refused, at each step of a build.
func (r *real) broken(t *testing.T) map[string]drivertest.Broken {
	t.Helper()
	image := func(args ...string) string {
		path := filepath.Join(t.TempDir(), "image")
		out, err := exec.Command("qemu-img", append(append([]string{"create", "-q", "-f", "qcow2"}, args...), path, "2G")...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		sum, err := r.images.add(path)
		must(t, err)
		return sum
	}
	all := map[string]drivertest.Broken{}
	add := func(name string, kind error, change func(*messages.DomainSpec)) {
		s := r.spec()
		change(s)
		all[name] = drivertest.Broken{Spec: s, Kind: kind}
	}
	add("nobody has the image", messages.NotFound, func(s *messages.DomainSpec) { s.ImageSha256 = strings.Repeat("0", 64) })
	add("image larger than said", messages.Invalid, func(s *messages.DomainSpec) { s.ImageSha256 = image() })
	add("image of another format", messages.Invalid, func(s *messages.DomainSpec) {
		path := filepath.Join(t.TempDir(), "image")
		must(t, os.WriteFile(path, make([]byte, 1<<20), 0o644))
		sum, err := r.images.add(path)
		must(t, err)
		s.ImageSha256 = sum
	})
	add("image with a backing file", messages.Invalid, func(s *messages.DomainSpec) {
		s.ImageSha256, s.DiskGib = image("-b", r.images[r.image], "-F", "qcow2"), 4
	})
	add("address outside the network", messages.Invalid, func(s *messages.DomainSpec) { s.Nics[0].Address = "192.0.2.1" })
	add("more memory than any host has", messages.Exhausted, func(s *messages.DomainSpec) { s.RamMib = 1 << 20 })
	return all
}

// metadata serves what a metadata service would, inside the network, and tells
// the addresses it was asked from.
func (r *real) metadata(t *testing.T) (from <-chan string) {
	t.Helper()
	ln, err := r.net.Listen(t.Context(), flatnet.MetadataAddress+":80")
	must(t, err)
	asked := make(chan string, 10)
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		host, _, _ := net.SplitHostPort(q.RemoteAddr)
		asked <- host
		fmt.Fprintf(w, "you are %s", host)
	})}
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() { _ = server.Close() })
	return asked
}

const userData = `#!/bin/sh
echo user data of $(hostname)
timeout 120 wget -q -O - http://169.254.169.254/latest/meta-data/instance-id; echo
ip route | sed 's/^/route /'
echo done
`

// TestBoot is one whole life of a guest, as its user sees it.
func TestBoot(t *testing.T) {
	r := realHypervisor(t)
	s := r.spec()
	id := s.GetInstanceId()
	t.Cleanup(func() { _ = r.driver.Delete(context.Background(), id, r.at(1<<40)) })
	s.ConfigFiles["openstack/latest/user_data"] = []byte(userData)
	asked := r.metadata(t)
	must(t, r.driver.Build(t.Context(), s))
	if !r.locked(t, r.taps[id]) {
		t.Errorf("the port's device %s is not on the bridge, or lets the guest be anybody", r.taps[id])
	}
	r.console(t, id, "TESTIMG READY", 1)
	console := string(r.console(t, id, "TESTIMG RUN-END", 1))
	address := s.GetNics()[0].GetAddress()
	for _, want := range []string{
		"META source=configdrive instance-id=" + id, "hostname=" + drivertest.Hostname,
		"RUN: user data of " + drivertest.Hostname, "RUN: you are " + address, "ip=" + address + "/16", "mac=" + s.GetNics()[0].GetMac(), "mtu=1450",
		"DISK vda bytes=1073741824",
	} {
		if !strings.Contains(console, want) {
			t.Errorf("the console does not show %q", want)
		}
	}
	if t.Failed() {
		t.Log(console)
	}
	if strings.Contains(console, "route default") || !strings.Contains(console, "route 169.254.169.254") {
		t.Error("the guest has a default route, or none to the metadata service")
	}
	if from := <-asked; from != address {
		t.Errorf("the metadata service was asked by %s", from)
	}
	if _, err := os.Stat(r.driver.VNC(id)); err != nil {
		t.Error(err)
	}
	must(t, r.driver.Stop(t.Context(), id, r.at(2), 5*time.Minute))
	if out := r.console(t, id, "TESTIMG SHUTDOWN", 1); !strings.Contains(string(out), "TESTIMG ACPI power-button") {
		t.Error("the guest was not asked to power off")
	}
	// The network forgets, as at a reboot of the host; a start tells it again.
	must(t, r.net.Remove(t.Context(), id))
	must(t, r.driver.Start(t.Context(), id, r.at(3)))
	if !r.net.Has(id) || !r.locked(t, r.taps[id]) {
		t.Error("after a start the network does not know the guest, or lets it be anybody")
	}
	must(t, r.driver.Delete(t.Context(), id, r.at(3)))
	if left := r.leavings(t, id); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestDeathWhileAway: QEMU dies while libvirtd is away, of which no event tells.
func TestDeathWhileAway(t *testing.T) {
	r := realHypervisor(t)
	s := r.spec()
	id := s.GetInstanceId()
	t.Cleanup(func() { _ = r.driver.Delete(context.Background(), id, r.at(1<<40)) })
	must(t, r.driver.Build(t.Context(), s))
	events := r.driver.Watch(t.Context())
	if e := <-events; e.Kind != drivers.Connected {
		t.Fatalf("first event: %+v", e)
	}
	must(t, r.node.Kill(t.Context()))
	r.killQEMU(t, id)
	for e := range events {
		if e.Kind == drivers.Lost {
			break
		}
	}
	if _, err := r.driver.Domains(t.Context()); !errors.Is(err, messages.Unavailable) {
		t.Errorf("while libvirtd is away: %v", err)
	}
	must(t, r.node.Start(t.Context()))
	for e := range events {
		if e.Kind == drivers.Connected {
			break
		}
	}
	dom, err := r.driver.Domain(t.Context(), id)
	if err != nil || dom.Power != messages.PowerState_POWER_STATE_CRASHED {
		t.Errorf("found %+v, %v", dom, err)
	}
	must(t, r.driver.Delete(t.Context(), id, r.at(2)))
	if left := r.leavings(t, id); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestRawImage builds on a raw image, with a disk as large as the image.
func TestRawImage(t *testing.T) {
	r := realHypervisor(t)
	path := filepath.Join(t.TempDir(), "raw")
	if out, err := exec.Command("qemu-img", "convert", "-O", "raw", r.images[r.image], path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	sum, err := r.images.add(path)
	must(t, err)
	s := r.spec()
	s.ImageSha256, s.ImageFormat, s.DiskGib = sum, "raw", 0
	id := s.GetInstanceId()
	t.Cleanup(func() { _ = r.driver.Delete(context.Background(), id, r.at(1<<40)) })
	must(t, r.driver.Build(t.Context(), s))
	info, err := tool(t.Context(), "qemu-img", "info", "-U", "--output=json", "-f", "qcow2", "--", r.driver.cfg.file(id, diskName))
	must(t, err)
	for _, want := range []string{`"backing-filename-format": "raw"`, `"virtual-size": 41943040`} {
		if !strings.Contains(string(info), want) {
			t.Errorf("the disk lacks %s: %s", want, info)
		}
	}
	must(t, r.driver.Delete(t.Context(), id, r.at(2)))
}

// TestManyAtOnce builds and deletes several guests at the same time.
func TestManyAtOnce(t *testing.T) {
	r := realHypervisor(t)
	var g errgroup.Group
	for range 4 {
		s := r.spec()
		g.Go(func() error {
			if err := r.driver.Build(t.Context(), s); err != nil {
				return err
			}
			return r.driver.Delete(t.Context(), s.GetInstanceId(), r.at(2))
		})
	}
	must(t, g.Wait())
	for id := range r.taps {
		if left := r.leavings(t, id); len(left) > 0 {
			t.Errorf("of %s is left: %v", id, left)
		}
	}
}

// TestBuildThatIsCutOff ends the build's context in the middle of it.
func TestBuildThatIsCutOff(t *testing.T) {
	r := realHypervisor(t)
	s := r.spec()
	s.ImageSha256 = strings.Repeat("c", 64)
	ctx, cancel := context.WithCancel(t.Context())
	cancels.Store(s.ImageSha256, func() { cancel() })
	if err := r.driver.Build(ctx, s); !errors.Is(err, messages.Unavailable) {
		t.Errorf("got %v", err)
	}
	if left := r.leavings(t, s.GetInstanceId()); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	r := realHypervisor(t)
	before := goleak.IgnoreCurrent()
	d, err := New(t.Context(), Config{URI: r.node.URI(), Dir: t.TempDir(), Images: r.images})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	events := d.Watch(ctx)
	if e := <-events; e.Kind != drivers.Connected {
		t.Errorf("first event: %+v", e)
	}
	must(t, d.Close())
	if _, err := d.Domains(t.Context()); !errors.Is(err, messages.Unavailable) {
		t.Errorf("of a closed driver: %v", err)
	}
	cancel()
	for range events { // must close
	}
	if err := leaktest.Find(before); err != nil {
		t.Error(err)
	}
}

func TestNoLibvirtd(t *testing.T) {
	_, err := New(t.Context(), Config{URI: "qemu+unix:///system?socket=" + t.TempDir() + "/none", Dir: t.TempDir(), Images: testImages{}})
	if !errors.Is(err, messages.Unavailable) {
		t.Errorf("got %v", err)
	}
}
