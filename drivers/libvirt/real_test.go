//go:build cgo && !nolibvirt && linux

package libvirt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
	lv "libvirt.org/go/libvirt"

	"github.com/troupe-cloud/troupe/drivers/drivertest"
	"github.com/troupe-cloud/troupe/drivers/libvirt/flatnet"
	"github.com/troupe-cloud/troupe/drivers/libvirt/node"
	"github.com/troupe-cloud/troupe/messages"
)

// real is a hypervisor with real guests: a private libvirtd in a namespace of its
// own, the flat network, and the test image. All tests share one.
type real struct {
	dir    string
	node   node.Node
	net    *flatnet.Network
	driver *Driver
	images testImages
	image  string // its SHA-256
	next   atomic.Uint32
	epoch  uint64            // the newest that was used
	taps   map[string]string // of the specs that were made, by instance
}

var (
	only     *real
	realErr  error
	realOnce sync.Once
)

func TestMain(m *testing.M) {
	code := m.Run()
	if only != nil {
		if err := only.close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// realHypervisor starts it, or skips the test and says why.
func realHypervisor(t *testing.T) *real {
	t.Helper()
	if testing.Short() {
		t.Skip("real guests take long")
	}
	realOnce.Do(func() { only, realErr = startReal() })
	if realErr != nil {
		if os.Getenv("TROUPE_TEST_REQUIRE_LIBVIRT") == "1" {
			t.Fatal(realErr)
		}
		t.Skip(realErr)
	}
	return only
}

func startReal() (started *real, err error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("a private libvirtd needs root")
	}
	for _, p := range []string{"libvirtd", "qemu-system-x86_64", "qemu-img", "dnsmasq", "genisoimage"} {
		if _, err := exec.LookPath(p); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	build := exec.CommandContext(ctx, "../../scripts/build-test-image.sh")
	build.Stderr = os.Stderr
	var out []byte
	out, err = build.Output()
	if err != nil {
		return nil, fmt.Errorf("test image: %w", err)
	}
	r := &real{images: testImages{}, taps: map[string]string{}}
	if r.image, err = r.images.add(strings.TrimSpace(string(out))); err != nil {
		return nil, err
	}
	r.images[anyImage] = r.images[r.image]
	if r.dir, err = os.MkdirTemp("/tmp", "trt"); err != nil { // short: sockets live in it
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(r.dir)
		}
	}()
	name := "trt" + uuid.NewString()[:8]
	r.net, err = flatnet.Open(ctx, flatnet.Config{CIDR: netip.MustParsePrefix("10.88.0.0/16"), MTU: 1450, Namespace: name})
	if err != nil {
		return nil, err
	}
	r.node = node.Node{Dir: r.dir, Name: "a", Namespace: name}
	if err = r.node.Start(ctx); err != nil {
		return nil, errors.Join(err, r.net.Teardown(ctx))
	}
	r.driver, err = New(ctx, Config{URI: r.node.URI(), Dir: filepath.Join(r.dir, "instances"), Images: r.images, Network: r.net,
		Name: "real", Log: zerolog.New(os.Stderr).Level(zerolog.ErrorLevel)})
	if err != nil {
		return nil, errors.Join(err, r.node.Stop(ctx), r.net.Teardown(ctx))
	}
	return r, nil
}

func (r *real) close() error {
	ctx := context.Background()
	return errors.Join(r.driver.Close(), r.node.Stop(ctx), r.net.Teardown(ctx), os.RemoveAll(r.dir))
}

// testImages are files by their SHA-256.
type testImages map[string]string

const anyImage = "any" // the key of the test image itself

// cancels has the functions that asking for an image calls, by its SHA-256.
var cancels sync.Map

func (m testImages) Path(_ context.Context, sum string) (string, error) {
	if p, ok := m[sum]; ok {
		return p, nil
	}
	if cancel, ok := cancels.LoadAndDelete(sum); ok { // the build is cut off once it has begun
		cancel.(func())()
		return m[anyImage], nil
	}
	return "", fmt.Errorf("no image %s: %w", sum, messages.NotFound)
}

func (m testImages) add(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	sum := hex.EncodeToString(h.Sum(nil))
	m[sum] = path
	return sum, nil
}

// spec is a small guest with one interface and a config drive.
func (r *real) spec() *messages.DomainSpec {
	id, n := uuid.NewString(), r.next.Add(1)
	port := uuid.NewString()
	r.taps[id] = tapName(port)
	return &messages.DomainSpec{
		InstanceId: id, Name: "test", ProjectId: uuid.NewString(), Vcpus: 1, RamMib: 128, DiskGib: 1, Order: 1, Epoch: r.epoch + drivertest.EpochStep,
		ImageSha256: r.image, ImageFormat: "qcow2", ConfigDrive: true,
		Nics: []*messages.DomainNIC{{PortId: port, Mac: fmt.Sprintf("fa:16:3e:00:%02x:%02x", n>>8, n&255),
			Address: fmt.Sprintf("10.88.%d.%d", 1+n>>8, n&255), PrefixLength: 16, Mtu: 1450}},
		ConfigFiles: map[string][]byte{
			"openstack/latest/meta_data.json": fmt.Appendf(nil, `{"uuid":%q,"hostname":%q}`, id, drivertest.Hostname),
			"openstack/latest/user_data":      []byte("hello from " + id + "\n"),
			"ec2/latest/meta-data.json":       []byte(`{"instance-id":"i-0001"}`),
		},
	}
}

// leavings names what is there of an instance.
func (r *real) leavings(t *testing.T, id string) (left []string) {
	t.Helper()
	if out := r.virsh(t, "list", "--all", "--name"); strings.Contains(out, id) {
		left = append(left, "domain")
	}
	for _, p := range []string{r.driver.cfg.instanceDir(id), r.driver.cfg.vncPath(id)} {
		if _, err := os.Lstat(p); err == nil {
			left = append(left, p)
		}
	}
	if r.net.Has(id) {
		left = append(left, "lease")
	}
	if r.onBridge(t, r.taps[id]) {
		left = append(left, r.taps[id])
	}
	return left
}

// onBridge says whether a device is on the network's bridge.
func (r *real) onBridge(t *testing.T, device string) bool {
	t.Helper()
	out, err := exec.Command("ip", "-n", r.net.Namespace(), "-o", "link", "show", "master", r.net.Bridge()).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(out), " "+device+":")
}

// locked says whether a device on the bridge takes packets of its guest only.
func (r *real) locked(t *testing.T, device string) bool {
	t.Helper()
	out, err := exec.Command("bridge", "-n", r.net.Namespace(), "-d", "link", "show", "dev", device).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(out), "locked on")
}

// virsh asks libvirt behind the driver's back.
func (r *real) virsh(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("virsh", append([]string{"-q", "-c", r.node.URI()}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("virsh %v: %v: %s", args, err, out)
	}
	return string(out)
}

// killQEMU kills the guest's process, found by the pid file libvirt keeps, and
// waits until it has ended.
func (r *real) killQEMU(t *testing.T, id string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, "a/run/qemu", namePrefix+id+".pid"))
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(text), &pid); err != nil {
		t.Fatal(err)
	}
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(process)
	if err := unix.PidfdSendSignal(process, unix.SIGKILL, nil, 0); err != nil {
		t.Fatal(err)
	}
	// On a busy machine it may take a while to be gone, and until then libvirt finds it alive.
	for err = unix.EINTR; err == unix.EINTR; {
		_, err = unix.Poll([]unix.PollFd{{Fd: int32(process), Events: unix.POLLIN}}, -1)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// console waits until the console has shown a text n times, and returns it all.
// It is woken by the file's changes.
func (r *real) console(t *testing.T, id, text string, n int) []byte {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := unix.InotifyAddWatch(fd, r.driver.cfg.instanceDir(id), unix.IN_MODIFY|unix.IN_CREATE|unix.IN_MOVED_TO); err != nil {
		t.Fatal(err)
	}
	events := make([]byte, 4096)
	for deadline := time.Now().Add(6 * time.Minute); time.Now().Before(deadline); {
		out, err := r.driver.Console(t.Context(), id, 0)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Count(out, []byte(text)) >= n {
			return out
		}
		if ready, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 1000); ready > 0 {
			_, _ = unix.Read(fd, events)
		}
	}
	out, _ := r.driver.Console(t.Context(), id, 2000)
	t.Fatalf("the console never showed %q %d times; its end: %s", text, n, out)
	return nil
}

// define puts a domain there by its XML, not through the driver.
func (r *real) define(t *testing.T, xml string) {
	t.Helper()
	conn, err := lv.NewConnect(r.node.URI())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	dom, err := conn.DomainDefineXML(xml)
	if err != nil {
		t.Fatal(err)
	}
	_ = dom.Free()
}
