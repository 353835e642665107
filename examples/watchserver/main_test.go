package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/client"
	"github.com/troupe-cloud/troupe/cluster/consultest"
	"github.com/troupe-cloud/troupe/messages"
)

// patience bounds what a test waits for; nothing is expected to need it.
const patience = 2 * time.Minute

// site is a cluster of real processes on loopback, with a real Consul.
type site struct {
	t      *testing.T
	dir    string
	binary string
	consul string
	ports  []int // two a node: its peer service, its HTTP
	nodes  []*exec.Cmd
}

func newSite(t *testing.T, roles ...string) *site {
	t.Helper()
	if _, err := consultest.Binary(t.Context()); err != nil {
		t.Skip("no Consul here: ", err)
	}
	s := &site{t: t, dir: t.TempDir(), consul: consultest.Start(t, consultest.Options{}).Addr() + "/troupe"}
	s.binary = filepath.Join(s.dir, "troupe")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-tags", "libvirt_dlopen", "-o", s.binary, "../../cmd/troupe").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	ports, err := consultest.FreePorts(2 * len(roles))
	if err != nil {
		t.Fatal(err)
	}
	s.ports = ports
	s.troupe("cluster", "init", "--consul", s.consul, "--data", s.data(0), "--name", "n0")
	for i, r := range roles {
		s.start(i, r)
	}
	return s
}

func (s *site) data(i int) string { return filepath.Join(s.dir, fmt.Sprint("n", i)) }

func (s *site) peer(i int) string { return fmt.Sprint("127.0.0.1:", s.ports[2*i]) }

// troupe runs a command of the program, as the administrator.
func (s *site) troupe(args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), s.binary, args...)
	cmd.Env = append(os.Environ(), "OS_CLIENT_CONFIG_FILE="+filepath.Join(s.data(0), "clouds.yaml"), "OS_CLOUD=troupe")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("troupe %v: %v\n%s", args, err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

// start returns once node i says that it is ready.
func (s *site) start(i int, roles string) {
	s.t.Helper()
	args := []string{
		"node", "--name", fmt.Sprint("n", i), "--consul", s.consul, "--data", s.data(i), "--roles", roles, "--driver", "sim", "--sim-hosts", "2",
		"--bind", s.peer(i), "--listen", fmt.Sprint("127.0.0.1:", s.ports[2*i+1]), "--image-free", "0", "--registry-listen", "off", "--log-level", "warn",
	}
	if i > 0 {
		args = append(args, "--join", s.troupe("cluster", "token", "create", "--consul", s.consul, "--data", s.data(0), "--expires", "10m"))
	}
	cmd := exec.Command(s.binary, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log := &words{}
	cmd.Stderr = log
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.nodes = append(s.nodes, cmd)
	s.t.Cleanup(func() {
		s.kill(i)
		if s.t.Failed() {
			s.t.Logf("n%d: %s", i, log)
		}
	})
	ready, limit := make(chan bool, 1), time.After(patience)
	go func() {
		lines := bufio.NewScanner(stdout)
		ready <- lines.Scan() && strings.Contains(lines.Text(), "is ready")
		_, _ = io.Copy(io.Discard, stdout)
	}()
	select {
	case ok := <-ready:
		if !ok {
			s.t.Fatalf("n%d did not start: %s", i, log)
		}
	case <-limit:
		s.t.Fatalf("n%d is not ready: %s", i, log)
	}
}

// kill is kill -9.
func (s *site) kill(i int) {
	if cmd := s.nodes[i]; cmd.ProcessState == nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// words are what somebody has said.
type words struct {
	mu   sync.Mutex
	said bytes.Buffer
	on   func(string) // called with each write
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said.Write(p)
	if w.on != nil {
		w.on(string(p))
	}
	return len(p), nil
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said.String()
}

// TestWatchServer: three real nodes with a real Consul; the program creates a
// server, sees it become ACTIVE, and deletes it: once in peace, and once while the
// node that it speaks to is killed.
func TestWatchServer(t *testing.T) {
	s := newSite(t, "gateway,control", "control,compute", "control,compute")
	disk := filepath.Join(s.dir, "disk.raw")
	if err := os.WriteFile(disk, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s.troupe("image", "create", "demo", "--file", disk, "--disk-format", "raw", "--visibility", "public")
	cert := filepath.Join(s.dir, "cert")
	s.troupe("cluster", "cert", "client", "demo", "--consul", s.consul, "--data", s.data(0), "--project", "shop", "--out", cert)
	s.watch("in peace", cert, nil)
	s.watch("killed", cert, func(said string) {
		if strings.Contains(said, "is ordered") {
			s.kill(0)
		}
	})
}

func (s *site) watch(name, cert string, disturb func(string)) {
	s.t.Helper()
	o, err := parse([]string{"-cert", cert, "-addresses", s.peer(0), "-image", "demo", "-timeout", patience.String()})
	if err != nil {
		s.t.Fatal(err)
	}
	out := &words{on: disturb}
	if err := run(s.t.Context(), o, out); err != nil {
		s.t.Fatalf("%s: %v; it said:\n%s", name, err, out)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if last := lines[len(lines)-1]; last != "it is gone" && last != "DELETED" || !strings.Contains(out.String(), "ACTIVE RUNNING") {
		s.t.Errorf("%s: it said:\n%s", name, out)
	}
	s.t.Logf("%s:\n%s", name, out)
}

func TestParse(t *testing.T) {
	o, err := parse([]string{"-addresses", "a:1,b:2", "-network", "flat", "-keep", "-project", "p"})
	if err != nil || len(o.config.Addresses) != 2 || o.spec.Networks[0].Network != "flat" || !o.keep || o.spec.Project != "p" {
		t.Errorf("got %+v, %v", o, err)
	}
	if _, err := parse([]string{"-no-such-flag"}); err == nil {
		t.Error("an unknown flag is taken")
	}
}

func TestEnds(t *testing.T) { // table: one row, one change
	for name, tt := range map[string]struct {
		change client.InstanceChange
		line   string
		active bool
		failed bool
	}{
		"building": {client.InstanceChange{Instance: &messages.InstanceView{VmState: messages.VMState_VM_STATE_BUILDING, TaskState: messages.TaskState_TASK_STATE_SPAWNING}}, "BUILDING SPAWNING", false, false},
		"active": {client.InstanceChange{Instance: &messages.InstanceView{
			VmState: messages.VMState_VM_STATE_ACTIVE, PowerState: messages.PowerState_POWER_STATE_RUNNING, Host: "h", Ports: []*messages.Port{{Address: "10.0.0.1"}},
		}}, "ACTIVE RUNNING h 10.0.0.1", true, false},
		"failed": {client.InstanceChange{Instance: &messages.InstanceView{VmState: messages.VMState_VM_STATE_ERROR}}, "ERROR", false, true},
		"gone":   {client.InstanceChange{Err: messages.NotFound}, "it is gone", false, true},
	} {
		got, err := active(tt.change)
		if line(tt.change) != tt.line || got != tt.active || (err != nil) != tt.failed {
			t.Errorf("%s: %q, %v, %v", name, line(tt.change), got, err)
		}
	}
	closed := make(chan client.InstanceChange)
	close(closed)
	if err := until(closed, io.Discard, active); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("a watch that ends: %v", err)
	}
}
