package eureka

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/e2e/clients/cloud"
)

// nodeClient is a process with npm eureka-js-client. It is given one order after the
// other, a line of JSON each, and answers in the same way.
type nodeClient struct {
	t     *testing.T
	cmd   *exec.Cmd
	log   string
	stdin io.WriteCloser
	lines *bufio.Reader
	once  sync.Once
}

type answer struct {
	Done  bool   `json:"done"`
	Error string `json:"error"`
	Seen  []seen `json:"seen"`
}

// clientVariable holds what the process is to be.
const clientVariable = "TROUPE_EUREKA_CLIENT"

func newNode(t *testing.T, c *cloud.Cloud, s server, delta bool) client {
	t.Helper()
	given, err := json.Marshal(map[string]any{
		"url": apiURL(c, "/eureka/apps/"), "app": s.app, "host": s.host, "ip": s.ip, "port": s.port, "metadata": s.metadata, "delta": delta,
		"renewal": renewEvery / time.Second, "duration": leaseTime / time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	n := &nodeClient{t: t, log: filepath.Join(t.TempDir(), "log")}
	log, err := os.Create(n.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	n.cmd = cloud.Node(t)
	n.cmd.Env = append(n.cmd.Env, clientVariable+"="+string(given))
	n.cmd.Stderr = log
	stdout, err := n.cmd.StdoutPipe()
	if err == nil {
		n.stdin, err = n.cmd.StdinPipe()
	}
	if err == nil {
		err = n.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	n.lines = bufio.NewReader(stdout)
	t.Cleanup(func() {
		n.kill()
		cloud.LogEnd(t, s.host, n.log)
	})
	return n
}

func (n *nodeClient) do(order map[string]string) (answer, error) {
	raw, err := json.Marshal(order)
	if err != nil {
		return answer{}, err
	}
	if _, err := n.stdin.Write(append(raw, '\n')); err != nil {
		return answer{}, err
	}
	timer := time.AfterFunc(patience, n.kill)
	defer timer.Stop()
	line, err := n.lines.ReadBytes('\n')
	if err != nil {
		return answer{}, fmt.Errorf("%v: no answer: %w", order, err)
	}
	var a answer
	if err := json.Unmarshal(line, &a); err != nil {
		return answer{}, fmt.Errorf("%q: %w", line, err)
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	return a, nil
}

func (n *nodeClient) register() error {
	_, err := n.do(map[string]string{"do": "register"})
	return err
}

func (n *nodeClient) cancel() error {
	_, err := n.do(map[string]string{"do": "cancel"})
	return err
}

func (n *nodeClient) list(app string) ([]seen, error) {
	a, err := n.do(map[string]string{"do": "list", "app": app})
	return a.Seen, err
}

func (n *nodeClient) kill() {
	n.once.Do(func() {
		_ = n.cmd.Process.Kill()
		_ = n.cmd.Wait()
	})
}
