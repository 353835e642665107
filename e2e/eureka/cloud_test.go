package eureka

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

var (
	binary  string // troupe
	nodeDir string // where eureka-js-client is installed; "": it is not
	noNode  string // why not
)

// TestMain builds the program once, or takes the one that TROUPE_BINARY names.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "troupe-eureka-")
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
	out, err := exec.Command("../../scripts/npm-client.sh", "eureka").Output()
	if err != nil {
		noNode = fmt.Sprintf("npm eureka-js-client is not installed: %v", err)
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
	t        *testing.T
	data     string
	address  string // of the registry
	log      string // file
	username string
	password string

	cmd    *exec.Cmd
	exited chan struct{}
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	dir := t.TempDir()
	c := &cloud{t: t, data: filepath.Join(dir, "data"), address: "127.0.0.1:" + freePort(t), log: filepath.Join(dir, "log")}
	c.start()
	t.Cleanup(func() {
		c.kill()
		if raw, err := os.ReadFile(c.log); t.Failed() && err == nil {
			t.Logf("the cloud's log ends with:\n%s", raw[max(0, len(raw)-8<<10):])
		}
	})
	var admin struct {
		Name     string `json:"username"`
		Password string `json:"password"`
	}
	raw, err := os.ReadFile(filepath.Join(c.data, "credentials.json"))
	if err == nil {
		err = json.Unmarshal(raw, &admin)
	}
	if err != nil {
		t.Fatal(err)
	}
	c.username, c.password = admin.Name, admin.Password
	return c
}

var readyLine = regexp.MustCompile(`is ready.* registry ([^ ,)]+)`)

// start returns when the cloud says that it is ready.
func (c *cloud) start() {
	c.t.Helper()
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	defer log.Close()
	c.cmd = exec.Command(binary, "dev", "--data", c.data, "--listen", "127.0.0.1:0", "--registry-listen", c.address, "--driver", "sim", "--sim-hosts", "1")
	c.cmd.Stderr = log
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
		c.t.Fatalf("the cloud did not get ready: %q, %v", line, err)
	}
	c.address = found[1]
}

// kill is kill -9.
func (c *cloud) kill() {
	_ = c.cmd.Process.Kill()
	<-c.exited
}

// eureka is the URL of Eureka's API, with the account that clients use.
func (c *cloud) eureka(path string) string {
	u := url.URL{Scheme: "http", User: url.UserPassword(c.username, c.password), Host: c.address, Path: path}
	return u.String()
}

// ask asks the registry, as an operator would.
func (c *cloud) ask(method, target string) (int, string) {
	r, err := http.NewRequest(method, "http://"+c.address+target, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	r.SetBasicAuth(c.username, c.password)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(raw)
}

// nacosSees says whether Nacos' clients are told of an address.
func (c *cloud) nacosSees(service, ip string) bool {
	status, body := c.ask("GET", "/nacos/v1/ns/instance/list?healthyOnly=true&serviceName="+url.QueryEscape(service))
	return status == http.StatusOK && strings.Contains(body, `"`+ip+`"`)
}
