package consultest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	portsEach    = 3 // HTTP or HTTPS, server RPC, gossip
	lastWordsLen = 2000
)

// collector has Consul collect garbage when four times what lives has gathered, and
// more often where that would be above 2 GiB. Consul makes many objects of each
// operation and keeps the whole state in memory, so that with Go's own setting, which is
// once as much, it marks that state again and again: a sixth of its work when a cloud
// writes. What the environment says counts more (of two settings os/exec takes the last).
func collector() []string {
	return append([]string{"GOGC=400", "GOMEMLIMIT=2GiB"}, os.Environ()...)
}

type server struct {
	binary string
	dir    string
	ports  []int
	dev    bool
	cmd    *exec.Cmd     // nil: does not run
	ended  chan struct{} // closed when cmd has
}

func (s *server) addr() string    { return fmt.Sprintf("127.0.0.1:%d", s.ports[0]) }
func (s *server) rpcAddr() string { return fmt.Sprintf("127.0.0.1:%d", s.ports[1]) }
func (s *server) logFile() string { return filepath.Join(s.dir, "log") }

// config is what server i is started with.
func (c *Cluster) config(i int) map[string]any {
	s := c.servers[i]
	ports := map[string]int{
		"http": s.ports[0], "https": -1, "server": s.ports[1], "serf_lan": s.ports[2],
		"serf_wan": -1, "dns": -1, "grpc": -1, "grpc_tls": -1,
	}
	config := map[string]any{
		"server": true, "node_name": filepath.Base(s.dir), "datacenter": "dc1",
		"bind_addr": "127.0.0.1", "client_addr": "127.0.0.1", "advertise_addr": "127.0.0.1",
		"ports": ports, "log_level": "ERR", "disable_update_check": true, "leave_on_terminate": false,
		"performance": map[string]any{"raft_multiplier": c.raftMultiplier()},
		// Else whoever was killed is struck off the servers' list after ten seconds; when
		// it is back it does not count for as long, and meanwhile the death of one more
		// leaves two servers of which neither can lead.
		"autopilot": map[string]any{"cleanup_dead_servers": false},
		"limits":    map[string]any{"http_max_conns_per_client": 8192},
		"connect":   map[string]any{"enabled": false},
		// A killed server is taken back at once. One that is only slow must not be thought
		// dead: it would not be asked any more, though it leads.
		"gossip_lan":      map[string]any{"gossip_interval": "50ms"},
		"session_ttl_min": "1s",
	}
	if !c.o.Dev {
		config["data_dir"] = filepath.Join(s.dir, "data")
		config["bootstrap_expect"] = len(c.servers)
		var join []string
		for _, other := range c.servers {
			join = append(join, fmt.Sprintf("127.0.0.1:%d", other.ports[2]))
		}
		config["retry_join"], config["retry_interval"] = join, "200ms"
	}
	if c.o.ACL {
		config["acl"] = map[string]any{
			"enabled": true, "default_policy": "deny", "tokens": map[string]any{"initial_management": Token, "agent": Token},
		}
	}
	if c.o.TLS {
		ports["http"], ports["https"] = -1, s.ports[0]
		config["tls"] = map[string]any{"https": map[string]any{
			"ca_file": c.tls.ca, "cert_file": c.tls.cert, "key_file": c.tls.key, "verify_incoming": true,
		}}
	}
	return config
}

// raftMultiplier is in seconds how long the leader may be silent. Alone there is
// nobody to hear it; of three on a busy machine each may have to wait for a
// processor.
func (c *Cluster) raftMultiplier() int {
	if len(c.servers) == 1 {
		return 1
	}
	return 2
}

func (s *server) configure(config map[string]any) error {
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(s.dir, 0o700), os.WriteFile(filepath.Join(s.dir, "config.json"), text, 0o600))
}

func (s *server) start() error {
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	args := []string{"agent", "-config-file", filepath.Join(s.dir, "config.json")}
	if s.dev {
		args = append(args, "-dev")
	}
	cmd := exec.Command(s.binary, args...)
	cmd.Stdout, cmd.Stderr, cmd.Dir, cmd.Env = log, log, s.dir, collector()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", s.binary, err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	s.cmd, s.ended = cmd, ended
	return nil
}

func (s *server) signal(sig os.Signal) {
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(sig) // it may have ended by itself
	}
}

func (s *server) lastWords() string {
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		return err.Error()
	}
	return string(bytes.TrimSpace(text[max(0, len(text)-lastWordsLen):]))
}

// Kill ends server i as a crash would.
func (c *Cluster) Kill(i int) { c.end(i, syscall.SIGKILL) }

// Stop ends server i gracefully.
func (c *Cluster) Stop(i int) { c.end(i, syscall.SIGTERM) }

func (c *Cluster) end(i int, sig os.Signal) {
	s := c.servers[i]
	if s.cmd == nil {
		return
	}
	s.signal(sig)
	s.signal(syscall.SIGCONT) // it may be paused
	select {
	case <-s.ended:
	case <-time.After(stopTimeout):
		s.signal(syscall.SIGKILL)
		<-s.ended
	}
	s.cmd = nil
}

// Pause freezes server i; Resume lets it go on.
func (c *Cluster) Pause(i int)  { c.servers[i].signal(syscall.SIGSTOP) }
func (c *Cluster) Resume(i int) { c.servers[i].signal(syscall.SIGCONT) }

// Launch starts server i again with what is on its disk, and waits for nothing.
func (c *Cluster) Launch(i int) error {
	c.Kill(i)
	return c.servers[i].start()
}

// Restart is Launch, and returns once there is a leader.
func (c *Cluster) Restart(ctx context.Context, i int) error {
	if err := c.Launch(i); err != nil {
		return err
	}
	return c.WaitLeader(ctx)
}

// Wipe kills every server, removes what they have stored, and starts them empty.
func (c *Cluster) Wipe(ctx context.Context) error {
	c.Close()
	for _, s := range c.servers {
		if err := errors.Join(os.RemoveAll(filepath.Join(s.dir, "data")), s.start()); err != nil {
			return err
		}
	}
	return c.WaitLeader(ctx)
}

// findBinary asks the script of the checkout that this process runs in, if it
// runs in one.
func findBinary(ctx context.Context) (string, error) {
	if path := os.Getenv("TROUPE_CONSUL"); path != "" {
		return path, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		script := filepath.Join(dir, "scripts", "consul.sh")
		if _, err := os.Stat(script); err != nil {
			continue
		}
		out, err := exec.CommandContext(ctx, script, "--no-build").Output()
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return "", errors.New(strings.TrimSpace(string(exit.Stderr)))
		}
		return strings.TrimSpace(string(out)), err
	}
	return exec.LookPath("consul")
}
