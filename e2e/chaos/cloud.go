// Package chaos owns the fault tests of a cloud of several nodes: real Consul
// servers and real nodes in network namespaces, users who create, change, list
// and delete meanwhile, faults one after the other, and afterwards the questions
// whether anything acknowledged was lost, forked, leaked or left undone.
package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/troupe-cloud/troupe/e2e/lab"
)

const (
	servers      = 3 // of Consul
	members      = 3
	simHosts     = 4 // a node
	apiPort      = 8774
	peerPort     = 7774
	consulPort   = 8500
	readyTimeout = 90 * time.Second
	stopTimeout  = 60 * time.Second
	diskMiB      = 96 // of a node's data, a file system of its own
)

// machine is one process on one host of the lab; it may be killed, stopped, and
// started again.
type machine struct {
	*lab.Host
	args []string // of the command, its name first
	env  []string
	said string // what it prints when it is ready; "": nothing
	log  string // file

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
}

// start returns when the process says that it is ready.
func (m *machine) start() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	log, err := os.OpenFile(m.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := m.Command(m.args[0], m.args[1:]...)
	cmd.Env = append(os.Environ(), m.env...)
	cmd.Stderr = log
	if m.said == "" {
		cmd.Stdout = log
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var stdout io.Reader = strings.NewReader("")
	if m.said != "" {
		if stdout, err = cmd.StdoutPipe(); err != nil {
			return err
		}
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ready := make(chan error, 1)
	exited := make(chan struct{})
	go func() {
		lines := bufio.NewScanner(stdout)
		found := m.said == ""
		for !found && lines.Scan() {
			found = strings.Contains(lines.Text(), m.said)
		}
		if found {
			ready <- nil
		} else {
			ready <- errors.New("it ended before it was ready")
		}
		_, _ = io.Copy(io.Discard, stdout)
		_ = cmd.Wait()
		close(exited)
	}()
	m.cmd, m.exited = cmd, exited
	select {
	case err = <-ready:
	case <-time.After(readyTimeout):
		err = errors.New("it did not say that it is ready")
	}
	select {
	case <-exited:
		err = errors.Join(err, fmt.Errorf("it ended: %v", cmd.ProcessState))
	default:
	}
	if err != nil {
		_ = cmd.Process.Kill()
		return fmt.Errorf("%s: %w\n%s", m.Name, err, m.tail())
	}
	return nil
}

// kill is kill -9.
func (m *machine) kill() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cmd == nil {
		return
	}
	_ = m.cmd.Process.Kill()
	<-m.exited
	m.cmd = nil
}

// stop is SIGTERM, after which the process must end by itself and well.
func (m *machine) stop() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cmd == nil {
		return nil
	}
	defer func() { m.cmd = nil }()
	_ = m.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-m.exited:
	case <-time.After(stopTimeout):
		_ = m.cmd.Process.Kill()
		<-m.exited
		return fmt.Errorf("%s: SIGTERM did not end it within %v\n%s", m.Name, stopTimeout, m.tail())
	}
	if code := m.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s: it ended with %v\n%s", m.Name, m.cmd.ProcessState, m.tail())
	}
	return nil
}

func (m *machine) signal(s syscall.Signal) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cmd != nil {
		_ = m.cmd.Process.Signal(s)
	}
}

// setClock puts the machine's clock ahead of the others', or behind them.
func (m *machine) setClock(ahead time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cmd == nil {
		return fmt.Errorf("%s does not run", m.Name)
	}
	return lab.SetClock(m.cmd.Process.Pid, ahead)
}

const tailBytes = 8 << 10

// tail is the end of what it has logged.
func (m *machine) tail() string {
	raw, _ := os.ReadFile(m.log)
	return string(raw[max(0, len(raw)-tailBytes):])
}

// cloud is Consul servers, nodes, and the machine that the users sit at.
type cloud struct {
	lab     *lab.Lab
	dir     string
	binary  string
	consuls []*machine
	nodes   []*machine
	users   *lab.Host
	mounts  []string
	http    *http.Client
	token   string
	// of the registry
	registryToken string
	project       string
}

// newCloud starts everything; what it returns has to be closed, also with an error.
func newCloud(ctx context.Context, dir, binary, consul string) (*cloud, error) {
	c := &cloud{dir: dir, binary: binary}
	var err error
	if c.lab, err = lab.New(); err != nil {
		return c, err
	}
	if c.users, err = c.lab.Add("users"); err != nil {
		return c, err
	}
	c.http = &http.Client{Timeout: callTimeout, Transport: &http.Transport{
		DialContext: c.users.Dial, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute,
	}}
	if err := c.startConsul(ctx, consul); err != nil {
		return c, err
	}
	if err := c.startNodes(); err != nil {
		return c, err
	}
	if err := c.login(ctx); err != nil {
		return c, err
	}
	return c, c.enter(ctx)
}

func (c *cloud) startConsul(ctx context.Context, consul string) error {
	var join []string
	for i := range servers {
		h, err := c.lab.Add(fmt.Sprintf("consul%d", i+1))
		if err != nil {
			return err
		}
		join = append(join, "-retry-join", h.IP)
		c.consuls = append(c.consuls, &machine{Host: h, log: filepath.Join(c.dir, h.Name+".log")})
	}
	for _, m := range c.consuls {
		m.args = append([]string{consul, "agent", "-server", fmt.Sprintf("-bootstrap-expect=%d", servers),
			"-node", m.Name, "-data-dir", filepath.Join(c.dir, m.Name), "-bind", m.IP, "-client", m.IP,
			"-disable-host-node-id", "-retry-interval=1s", "-log-level", "warn",
			// A server that is down for a while stays on the list: else it would not count for
			// ten seconds after it is back, and the next fault would find two that cannot elect.
			"-hcl", `performance { raft_multiplier = 1 } limits { http_max_conns_per_client = 2000 } leave_on_terminate = false
				autopilot { cleanup_dead_servers = false }`}, join...)
		if err := m.start(); err != nil {
			return err
		}
	}
	return eventually(ctx, "Consul has a leader", func() error {
		_, err := c.leader(ctx)
		return err
	})
}

// leader is the server of Consul that leads.
func (c *cloud) leader(ctx context.Context) (*machine, error) {
	for _, m := range c.consuls {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s:%d/v1/status/leader", m.IP, consulPort), nil)
		if err != nil {
			return nil, err
		}
		answer, err := c.http.Do(req)
		if err != nil {
			continue
		}
		var address string
		err = json.NewDecoder(answer.Body).Decode(&address)
		_ = answer.Body.Close()
		for _, l := range c.consuls {
			if err == nil && strings.HasPrefix(address, l.IP+":") {
				return l, nil
			}
		}
	}
	return nil, errors.New("no leader")
}

func (c *cloud) consulAddress() string {
	var all []string
	for _, m := range c.consuls {
		all = append(all, fmt.Sprintf("%s:%d", m.IP, consulPort))
	}
	return strings.Join(all, ",") + "/troupe"
}

func (c *cloud) startNodes() error {
	token := ""
	for i := range members {
		h, err := c.lab.Add(fmt.Sprintf("node%d", i+1))
		if err != nil {
			return err
		}
		data := filepath.Join(c.dir, h.Name)
		if err := c.disk(data); err != nil {
			return err
		}
		m := &machine{Host: h, said: "is ready", log: filepath.Join(c.dir, h.Name+".log"), args: []string{
			c.binary, "node", "--name", h.Name, "--consul", c.consulAddress(), "--data", data,
			"--bind", fmt.Sprintf("%s:%d", h.IP, peerPort), "--listen", fmt.Sprintf("%s:%d", h.IP, apiPort),
			"--registry-listen", fmt.Sprintf("%s:%d", h.IP, registryPort),
			"--image-free", "0", "--driver", "sim", "--sim-hosts", fmt.Sprint(simHosts), "--log-level", "info",
		}}
		if i == 0 {
			if _, err := c.command(h, "cluster", "init", "--consul", c.consulAddress(), "--data", data, "--name", h.Name); err != nil {
				return err
			}
		} else {
			m.env = []string{"TROUPE_JOIN=" + token}
		}
		c.nodes = append(c.nodes, m)
		if err := m.start(); err != nil {
			return err
		}
		if i == 0 {
			out, err := c.command(h, "cluster", "token", "create", "--consul", c.consulAddress(), "--data", data,
				"--uses", fmt.Sprint(members-1))
			if err != nil {
				return err
			}
			token = strings.TrimSpace(out)
		}
	}
	return nil
}

// disk makes a small file system for a node, so that it can be filled.
func (c *cloud) disk(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=755", diskMiB)); err != nil {
		return fmt.Errorf("a file system for %s: %w", dir, err)
	}
	c.mounts = append(c.mounts, dir)
	return nil
}

// command runs a command of the program on a machine.
func (c *cloud) command(h *lab.Host, args ...string) (string, error) {
	cmd := h.Command(c.binary, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("troupe %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out), nil
}

// close ends everything and says what did not end well.
func (c *cloud) close() error {
	var all []error
	for _, m := range c.nodes {
		m.signal(syscall.SIGCONT)
		all = append(all, m.stop())
	}
	for _, m := range c.consuls {
		m.kill()
	}
	if c.http != nil {
		c.http.CloseIdleConnections()
	}
	for _, dir := range c.mounts {
		all = append(all, syscall.Unmount(dir, syscall.MNT_DETACH))
	}
	if c.lab != nil {
		all = append(all, c.lab.Close())
	}
	return errors.Join(all...)
}

// eventually looks again and again, until it is well or the context ends.
func eventually(ctx context.Context, what string, look func() error) error {
	for {
		err := look()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: not in time; last: %w", what, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
