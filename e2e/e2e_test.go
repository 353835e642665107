// Package e2e owns the tests of the whole: the real binary as a process, real
// clients over HTTP, and where the machine can, real virtual machines. Everything
// stays on loopback and in network namespaces that the tests made.
package e2e

import (
	"bufio"
	"cmp"
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

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/config"
	"github.com/gophercloud/gophercloud/v2/openstack/config/clouds"
)

var binary string // bin/troupe, built once for all tests

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "troupe-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "troupe")
	build := exec.Command("go", "build", "-tags", "libvirt_dlopen", "-o", binary, "../cmd/troupe")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// cloud is one `troupe dev` over one data folder; it may be killed and started
// again.
type cloud struct {
	t    *testing.T
	data string
	args []string

	program string // "": the one that is tried

	cmd    *exec.Cmd
	ready  string // the line that says so
	exited chan struct{}
	log    *tail
}

// newCloud starts a cloud and ends it with the test.
func newCloud(t *testing.T, args ...string) *cloud {
	t.Helper()
	c := &cloud{t: t, data: t.TempDir(), args: args, log: &tail{}}
	if err := c.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
		if t.Failed() {
			t.Logf("the cloud's log ends with:\n%s", c.log)
		}
	})
	return c
}

// start returns when the cloud says that it is ready.
func (c *cloud) start() error {
	return c.startWith(append([]string{"dev", "--data", c.data, "--listen", "127.0.0.1:0", "--registry-listen", "off"}, c.args...))
}

func (c *cloud) startWith(args []string) error {
	c.cmd = exec.Command(cmp.Or(c.program, binary), args...)
	c.cmd.Stderr = c.log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.cmd.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || !strings.Contains(line, "is ready") {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait()
		return fmt.Errorf("the cloud did not get ready: %q, %w\n%s", line, err, c.log)
	}
	c.ready, c.exited = line, make(chan struct{})
	go func(cmd *exec.Cmd, exited chan struct{}) {
		_, _ = io.Copy(io.Discard, stdout)
		_ = cmd.Wait()
		close(exited)
	}(c.cmd, c.exited)
	return nil
}

// kill is kill -9.
func (c *cloud) kill() {
	_ = c.cmd.Process.Kill()
	<-c.exited
}

// stop is SIGTERM, after which the process must end by itself and well.
func (c *cloud) stop() error {
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.exited:
	case <-time.After(time.Minute):
		c.kill()
		return errors.New("SIGTERM did not end it within a minute")
	}
	if code := c.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("it ended with %v", c.cmd.ProcessState)
	}
	return nil
}

// login reads clouds.yaml as any client does.
func (c *cloud) login(ctx context.Context) (*gophercloud.ProviderClient, error) {
	auth, _, _, err := clouds.Parse(clouds.WithCloudName("troupe"), clouds.WithLocations(filepath.Join(c.data, "clouds.yaml")))
	if err != nil {
		return nil, err
	}
	auth.AllowReauth = true
	return config.NewProviderClient(ctx, auth)
}

func (c *cloud) compute(ctx context.Context) (*gophercloud.ServiceClient, error) {
	p, err := c.login(ctx)
	if err != nil {
		return nil, err
	}
	s, err := openstack.NewComputeV2(p, gophercloud.EndpointOpts{})
	if err == nil {
		s.Microversion = "2.73"
	}
	return s, err
}

// run runs a command with the cloud's clouds.yaml in its environment.
func (c *cloud) run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = c.t.TempDir()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "LC_ALL=C.UTF-8",
		"OS_CLOUD=troupe", "OS_CLIENT_CONFIG_FILE=" + filepath.Join(c.data, "clouds.yaml")}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(name), strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out), nil
}

// eventually looks again and again, until it is true or the context ends.
func eventually(ctx context.Context, what string, look func() (bool, error)) error {
	var last error
	for {
		ok, err := look()
		if ok {
			return nil
		}
		last = err
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not in time (last: %v)", what, last)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// tail keeps the end of a log.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailBytes = 16 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - tailBytes; over > 0 {
		t.buf = append([]byte(nil), t.buf[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}
