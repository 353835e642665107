package cloud

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// Cloud is one `troupe dev` whose registry keeps its address when it is killed and
// started again.
type Cloud struct {
	Address            string // of the registry
	Username, Password string // of its administrator

	t      *testing.T
	data   string // folder
	log    string // file
	cmd    *exec.Cmd
	exited chan struct{}
}

// New starts one that ends with the test.
func New(t *testing.T) *Cloud {
	t.Helper()
	dir := t.TempDir()
	c := &Cloud{t: t, data: filepath.Join(dir, "data"), Address: "127.0.0.1:" + FreePort(t), log: filepath.Join(dir, "log")}
	c.Start()
	t.Cleanup(func() {
		c.Kill()
		LogEnd(t, "the cloud", c.log)
	})
	var admin struct{ Username, Password string }
	raw, err := os.ReadFile(filepath.Join(c.data, "credentials.json"))
	if err == nil {
		err = json.Unmarshal(raw, &admin)
	}
	if err != nil {
		t.Fatal(err)
	}
	c.Username, c.Password = admin.Username, admin.Password
	return c
}

var readyLine = regexp.MustCompile(`is ready.* registry ([^ ,)]+)`)

// Start returns when the cloud says that it is ready. Kill comes before another Start.
func (c *Cloud) Start() {
	c.t.Helper()
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	defer log.Close()
	c.cmd = Mortal(binary, "dev", "--data", c.data, "--listen", "127.0.0.1:0", "--registry-listen", c.Address, "--driver", "sim", "--sim-hosts", "1")
	c.cmd.Stderr = log
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
		defer LogEnd(c.t, "the cloud", c.log)
		c.t.Fatalf("the cloud did not get ready: %q, %v", line, err)
	}
	c.Address = found[1]
}

// Kill is kill -9.
func (c *Cloud) Kill() {
	_ = c.cmd.Process.Kill()
	<-c.exited
}

// Ask asks the registry, as an operator would.
func (c *Cloud) Ask(method, target string) (int, string) {
	r, err := http.NewRequest(method, "http://"+c.Address+target, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	r.SetBasicAuth(c.Username, c.Password)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(raw)
}

const logEndBytes = 8 << 10

// LogEnd logs how the log of somebody ends, in the file at path, if the test failed.
func LogEnd(t *testing.T, whose, path string) {
	t.Helper()
	if raw, err := os.ReadFile(path); t.Failed() && err == nil {
		t.Logf("the log of %s ends with:\n%s", whose, raw[max(0, len(raw)-logEndBytes):])
	}
}
