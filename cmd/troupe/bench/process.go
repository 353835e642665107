package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	stopTimeout = 2 * time.Minute
	clockTicks  = 100 // of /proc/PID/stat a second: USER_HZ, on every Linux that Go runs on
)

// process is a `troupe dev` or a `troupe node` of our own.
type process struct {
	cmd      *exec.Cmd
	base     string // http://host:port
	data     string
	registry string        // host:port; empty: it has none
	ready    time.Duration // from its start to its ready line
	exited   chan error    // gets how it ended, and is closed
	stderr   bytes.Buffer  // to be read when it has ended
}

// startCloud starts this same program as a cloud of simulated hosts.
func startCloud(data string, hosts int) (*process, error) {
	return start(data, os.Environ(), "dev", "--driver", "sim", "--sim-hosts", strconv.Itoa(hosts),
		"--data", data, "--listen", "127.0.0.1:0", "--registry-listen", "off", "--log-level", "warn")
}

// start starts this same program, and returns when it says that it is ready.
// TROUPE_* variables of env reach it, e.g. TROUPE_PPROF.
func start(data string, env []string, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{data: data, exited: make(chan error, 1)}
	p.cmd = exec.Command(self, args...)
	p.cmd.Stderr, p.cmd.Env = &p.stderr, env
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	p.ready = time.Since(began)
	_, rest, found := strings.Cut(line, "ready on ")
	p.base, _, _ = strings.Cut(rest, " ")
	if _, at, ok := strings.Cut(rest, "registry "); ok {
		p.registry = at[:strings.IndexAny(at+" ", " ,)")]
	}
	if err != nil || !found {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		return nil, fmt.Errorf("troupe %s did not start: %q, %w: %s", args[0], line, err, p.stderr.Bytes())
	}
	go func() {
		_, _ = io.Copy(io.Discard, out)
		p.exited <- p.cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// stop has it end in order; one that has ended is stopped.
func (p *process) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-p.exited:
		return err
	case <-time.After(stopTimeout):
		p.kill()
		return errors.New("the cloud did not end")
	}
}

// kill is kill -9; it returns when the process is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// rssMiB is the memory of the process that is resident now.
func (p *process) rssMiB() (float64, error) {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 64)
			return kib / 1024, err
		}
	}
	return 0, errors.New("/proc tells no VmRSS")
}

// cpu is the processor time used so far.
func (p *process) cpu() (time.Duration, error) { return cpuOf(p.cmd.Process.Pid) }

// cpuOf is the processor time that a process has used so far.
func cpuOf(pid int) (time.Duration, error) {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, err
	}
	// The name in parentheses may hold spaces; utime and stime are the 12th and
	// 13th field after it (proc(5)).
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	if len(fields) < 13 {
		return 0, errors.New("/proc/PID/stat is too short")
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * time.Second / clockTicks, err
}
