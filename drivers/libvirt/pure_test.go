package libvirt

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kdomanski/iso9660"

	"github.com/troupe-cloud/troupe/drivers/guestdata"
	"github.com/troupe-cloud/troupe/messages"
)

var update = flag.Bool("update", false, "write the golden files anew")

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestDomainType(t *testing.T) {
	no := errors.New("no such device")
	for name, tt := range map[string]struct {
		cpuinfo string
		open    error
		want    string
	}{
		"Intel":                       {"processor: 0\nflags\t\t: fpu vmx sse\n", nil, "kvm"},
		"AMD":                         {"flags : svm\n", nil, "kvm"},
		"a device, but no processor":  {"flags : fpu sse\n", nil, "qemu"},
		"a processor, but no device":  {"flags : vmx\n", no, "qemu"},
		"vmx elsewhere is no flag":    {"vmx flags : ept\nbugs : vmx\nflags : fpu\n", nil, "qemu"},
		"vmx only as part of another": {"flags : novmx\n", nil, "qemu"},
		"nothing to read":             {"", nil, "qemu"},
	} {
		if got := domainType([]byte(tt.cpuinfo), func() error { return tt.open }); got != tt.want {
			t.Errorf("%s: got %s, want %s", name, got, tt.want)
		}
	}
}

func TestPower(t *testing.T) {
	for _, tt := range []struct {
		state, reason int
		want          messages.PowerState
	}{
		{stateRunning, 1, messages.PowerState_POWER_STATE_RUNNING},
		{stateBlocked, 0, messages.PowerState_POWER_STATE_RUNNING},
		{stateShutdown, 1, messages.PowerState_POWER_STATE_RUNNING},
		{statePaused, 1, messages.PowerState_POWER_STATE_PAUSED},
		{statePMSuspended, 0, messages.PowerState_POWER_STATE_SUSPENDED},
		{stateCrashed, 1, messages.PowerState_POWER_STATE_CRASHED},
		{stateShutoff, 1, messages.PowerState_POWER_STATE_SHUTDOWN},
		{stateShutoff, 2, messages.PowerState_POWER_STATE_SHUTDOWN},
		{stateShutoff, shutoffCrashed, messages.PowerState_POWER_STATE_CRASHED},
		{stateShutoff, shutoffFailed, messages.PowerState_POWER_STATE_CRASHED},
		{stateShutoff, shutoffSaved, messages.PowerState_POWER_STATE_SUSPENDED},
		{0, 0, messages.PowerState_POWER_STATE_NOSTATE},
		{99, 0, messages.PowerState_POWER_STATE_NOSTATE},
	} {
		if got := powerOf(tt.state, tt.reason); got != tt.want {
			t.Errorf("state %d reason %d: got %v, want %v", tt.state, tt.reason, got, tt.want)
		}
	}
}

func sampleSpec() *messages.DomainSpec {
	return &messages.DomainSpec{
		InstanceId: "11111111-2222-4333-8444-555555555555", Name: `a <"name">`, ProjectId: "p&q", UserId: "u", Order: 7,
		Vcpus: 2, RamMib: 512, DiskGib: 1, FlavorName: "m1.tiny", ImageId: "i",
		Nics: []*messages.DomainNIC{
			{PortId: "aaaaaaaa-2222-4333-8444-555555555555", Mac: "fa:16:3e:00:00:01", Mtu: 1450},
			{PortId: "not-a-uuid", Mac: "fa:16:3e:00:00:02"},
		},
	}
}

func TestDomainXML(t *testing.T) {
	got, err := domainXML(sampleSpec(), machine{kind: "qemu", cache: "none", bridge: "trbr0",
		disk: "/d/disk", drive: "/d/disk.config", console: "/d/console.log", vnc: "/d/vnc.sock"})
	ok(t, err)
	golden := "testdata/domain.xml"
	if *update {
		ok(t, os.WriteFile(golden, []byte(got+"\n"), 0o644))
	}
	want, err := os.ReadFile(golden)
	ok(t, err)
	if got+"\n" != string(want) {
		t.Errorf("differs from %s (go test -update writes it anew):\n%s", golden, got)
	}
}

func TestMetadata(t *testing.T) {
	m := metadataOf(sampleSpec())
	for _, form := range []func() (string, error){m.definition, m.update} {
		text, err := form()
		ok(t, err)
		got, err := parseMetadata(text)
		ok(t, err)
		if got.Instance != m.Instance || got.Order != 7 || got.Name != m.Name || got.Project != m.Project {
			t.Errorf("%s became %+v", text, got)
		}
	}
	for _, text := range []string{"", "<a/>", "<instance/>", `<instance id="../x" order="1"/>`,
		`<instance id="11111111-2222-4333-8444-555555555555" order="-1"/>`} {
		if _, err := parseMetadata(text); !errors.Is(err, messages.Internal) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzMetadata(f *testing.F) {
	text, _ := metadataOf(sampleSpec()).definition()
	f.Add(text)
	f.Add(`<instance id="x" order="1"/>`)
	f.Fuzz(func(t *testing.T, text string) {
		if m, err := parseMetadata(text); err == nil {
			if again, err := m.update(); err != nil || again == "" {
				t.Errorf("%q was read but cannot be written: %v", text, err)
			}
		}
	})
}

func FuzzImageInfo(f *testing.F) {
	f.Add([]byte(`{"virtual-size": 41943040, "format": "qcow2", "format-specific": {"type": "qcow2", "data": {"compat": "1.1"}}}`))
	f.Add([]byte(`{"virtual-size": 1, "backing-filename": "/etc/passwd"}`))
	f.Add([]byte(`{"virtual-size": 1, "format-specific": {"data": {"data-file": "/etc/passwd"}}}`))
	f.Fuzz(func(t *testing.T, out []byte) {
		info, err := parseInfo(out)
		if err == nil && (info.Backing != "" || info.Specific.Data.DataFile != "" || info.VirtualSize <= 0) {
			t.Errorf("accepted %s", out)
		}
	})
}

func TestConfigDrive(t *testing.T) {
	files := map[string][]byte{
		"openstack/latest/meta_data.json":      []byte(`{"hostname":"a"}`),
		"openstack/2018-08-27/user_data":       bytes.Repeat([]byte("x"), 100_000),
		"ec2/latest/meta-data.json":            []byte("{}"),
		"openstack/content/0000_with.two.dots": nil,
	}
	iso := filepath.Join(t.TempDir(), "disk.config")
	if err := makeConfigDrive(t.Context(), files, iso); errors.Is(err, messages.Unavailable) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(iso)
	ok(t, err)
	defer f.Close()
	image, err := iso9660.OpenImage(f)
	ok(t, err)
	if label, err := image.Label(); err != nil || strings.TrimSpace(label) != configLabel {
		t.Errorf("label %q, %v", label, err)
	}
	root, err := image.RootDir()
	ok(t, err)
	got := map[string][]byte{}
	walk(t, root, "", got)
	want := guestdata.Expand(files) // with the dated folders
	for path, content := range want {
		if read, there := got[path]; !there || !bytes.Equal(read, content) {
			t.Errorf("%s: there is %v with %d bytes, want %d", path, there, len(read), len(content))
		}
	}
	if len(got) != len(want) || len(want) <= len(files) {
		t.Errorf("the drive has %d files, want %d of %d", len(got), len(want), len(files))
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(iso), "config-*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func walk(t *testing.T, dir *iso9660.File, at string, into map[string][]byte) {
	t.Helper()
	children, err := dir.GetChildren()
	ok(t, err)
	for _, c := range children {
		path := filepath.Join(at, c.Name())
		if c.IsDir() {
			walk(t, c, path, into)
			continue
		}
		var b bytes.Buffer
		_, err := b.ReadFrom(c.Reader())
		ok(t, err)
		into[path] = b.Bytes()
	}
}

func TestConfigDriveThatContradictsItself(t *testing.T) {
	files := map[string][]byte{"a": nil, "a/b": nil}
	for range 8 { // in either order
		if err := makeConfigDrive(t.Context(), files, filepath.Join(t.TempDir(), "iso")); !errors.Is(err, messages.Invalid) {
			t.Errorf("a file that is a folder too: %v", err)
		}
	}
}

func TestConsoleLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.log")
	if out, err := tail(path, 10); err != nil || len(out) > 0 {
		t.Errorf("of no file: %q, %v", out, err)
	}
	ok(t, os.WriteFile(path, []byte("0123456789"), 0o600))
	for n, want := range map[int64]string{3: "789", 10: "0123456789", 100: "0123456789", 0: "0123456789", -1: "0123456789"} {
		if out, err := tail(path, n); err != nil || string(out) != want {
			t.Errorf("last %d: %q, %v", n, out, err)
		}
	}
	ok(t, trim(path))
	ok(t, os.WriteFile(path, append(bytes.Repeat([]byte("x"), maxConsole), "the end"...), 0o600))
	ok(t, trim(path))
	out, err := tail(path, 0)
	if err != nil || len(out) != keepConsole || !bytes.HasSuffix(out, []byte("the end")) || sizeOf(path) != keepConsole {
		t.Errorf("after trimming: %d bytes of %d, %v", len(out), sizeOf(path), err)
	}
	ok(t, os.Remove(path))
	ok(t, os.Symlink("/etc/passwd", path))
	if out, err := tail(path, 0); err == nil {
		t.Errorf("followed a link: %q", out)
	}
}

func TestLeasesAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), leasesName)
	if none, err := readLeases(path); err != nil || none != nil {
		t.Errorf("of no file: %v, %v", none, err)
	}
	ok(t, saveLeases(path, sampleSpec()))
	got, err := readLeases(path)
	if err != nil || len(got) != 2 || got[1].MAC != "fa:16:3e:00:00:02" || got[0].InstanceID != sampleSpec().InstanceId {
		t.Errorf("got %+v, %v", got, err)
	}
	ok(t, os.WriteFile(path, []byte("{"), 0o600))
	if _, err := readLeases(path); err == nil {
		t.Error("a broken file was taken for good")
	}
}

func TestConfig(t *testing.T) {
	for name, tt := range map[string]struct {
		cfg  Config
		want error
	}{
		"complete":  {Config{URI: "test:///default", Dir: t.TempDir(), Images: noImages{}}, nil},
		"no URI":    {Config{Dir: t.TempDir(), Images: noImages{}}, messages.Invalid},
		"no images": {Config{URI: "x", Dir: t.TempDir()}, messages.Invalid},
		"sockets too long": {Config{URI: "x", Dir: t.TempDir(), Images: noImages{},
			SocketDir: "/run/" + strings.Repeat("x", 100)}, messages.Invalid},
	} {
		if err := tt.cfg.complete(); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
	long := Config{URI: "x", Dir: filepath.Join(t.TempDir(), strings.Repeat("d", 60)), Images: noImages{}}
	if err := long.complete(); err != nil || len(long.vncPath(sampleID)) > maxSocketPath {
		t.Errorf("long folder: %v, socket %s", err, long.vncPath(sampleID))
	}
	_ = os.Remove(long.SocketDir)
}

type noImages struct{}

func (noImages) Path(context.Context, string) (string, error) { return "", messages.NotFound }

func TestToolsAreLimited(t *testing.T) {
	if _, err := tool(t.Context(), "no-such-program-anywhere"); !errors.Is(err, messages.Unavailable) {
		t.Errorf("a program that is not there: %v", err)
	}
	out, err := tool(t.Context(), "sh", "-c", "ulimit -v; ulimit -t")
	if err != nil || string(out) != "2097152\n60\n" {
		t.Errorf("limits: %q, %v", out, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tool(ctx, "sh", "-c", "exit 0"); !errors.Is(err, messages.Unavailable) {
		t.Errorf("an ended context: %v", err)
	}
}
