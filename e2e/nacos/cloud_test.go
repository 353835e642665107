package nacos

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

var (
	binary  string // troupe
	nodeDir string // where npm nacos is installed; "": it is not
	noNode  string // why not
)

// TestMain builds the program once, or takes the one that TROUPE_BINARY names. The
// test's own binary is the Go clients too.
func TestMain(m *testing.M) {
	if raw := os.Getenv(accessVariable); raw != "" {
		beClient(raw)
		return
	}
	dir, err := os.MkdirTemp("", "troupe-nacos-")
	if err == nil {
		err = prepare(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func prepare(dir string) error {
	out, err := exec.Command("../../scripts/npm-client.sh", "nacos").Output()
	if err != nil {
		noNode = fmt.Sprintf("npm nacos is not installed: %v", err)
		if os.Getenv("TROUPE_TEST_REQUIRE_CLIENTS") != "" {
			return fmt.Errorf("%s", noNode)
		}
	}
	nodeDir = strings.TrimSpace(string(out))
	if binary = os.Getenv("TROUPE_BINARY"); binary != "" {
		return nil
	}
	binary = filepath.Join(dir, "troupe")
	build := exec.Command("go", "build", "-tags", "libvirt_dlopen", "-o", binary, "./cmd/troupe")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}

// cloud is one `troupe dev` whose registry keeps its address when it is killed and
// started again.
type cloud struct {
	t      *testing.T
	data   string
	listen string // of the registry
	access

	cmd    *exec.Cmd
	exited chan struct{}
	log    *tail
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{t: t, data: t.TempDir(), listen: "127.0.0.1:" + freePort(t), log: &tail{}}
	c.start()
	t.Cleanup(func() {
		c.kill()
		if t.Failed() {
			t.Logf("the cloud's log ends with:\n%s", c.log)
		}
	})
	raw, err := os.ReadFile(filepath.Join(c.data, "credentials.json"))
	if err == nil {
		err = json.Unmarshal(raw, &c.access)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var readyLine = regexp.MustCompile(`is ready.* registry ([^ ,)]+)`)

// start returns when the cloud says that it is ready.
func (c *cloud) start() {
	c.t.Helper()
	c.cmd = exec.Command(binary, "dev", "--data", c.data, "--listen", "127.0.0.1:0", "--registry-listen", c.listen, "--driver", "sim", "--sim-hosts", "1")
	c.cmd.Stderr = c.log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := c.cmd.StdoutPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	c.exited = make(chan struct{})
	lines := bufio.NewReader(stdout)
	line, err := lines.ReadString('\n')
	go func(cmd *exec.Cmd, exited chan struct{}) {
		_, _ = io.Copy(io.Discard, lines)
		_ = cmd.Wait()
		close(exited)
	}(c.cmd, c.exited)
	found := readyLine.FindStringSubmatch(line)
	if err != nil || found == nil {
		c.t.Fatalf("the cloud did not get ready: %q, %v\n%s", line, err, c.log)
	}
	c.listen = found[1]
	host, port, _ := net.SplitHostPort(c.listen)
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		c.t.Fatal(err)
	}
	c.Host, c.Port = host, n
}

// kill is kill -9.
func (c *cloud) kill() {
	_ = c.cmd.Process.Kill()
	<-c.exited
}

// tail keeps the end of what is written to it.
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
		t.buf = bytes.Clone(t.buf[over:])
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf)
}
