//go:build linux

package flatnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/troupe-cloud/troupe/messages"
)

// server is the network's dnsmasq: DHCP only, static leases only. It outlives
// this process, so that guests keep their addresses; a new process replaces it.
type server struct {
	net *Network

	released chan struct{} // closed: nobody supervises any more
	release  func()

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
}

// How a dnsmasq that ends is started again, and how long one may take to end.
const (
	firstBackOff = 100 * time.Millisecond
	lastBackOff  = 10 * time.Second
	endGrace     = 3 * time.Second
	startPause   = 10 * time.Millisecond // between looks at one that is starting
	leaseTime    = "1h"
	maxLeases    = 65536
)

func startServer(ctx context.Context, n *Network) (*server, error) {
	s := &server{net: n, released: make(chan struct{})}
	s.release = sync.OnceFunc(func() { close(s.released) })
	if err := s.endOld(ctx); err != nil {
		return nil, err
	}
	if err := s.start(); err != nil {
		return nil, err
	}
	return s, nil
}

// arguments of dnsmasq. It answers known guests only, and gives them no default
// route: there is nothing behind the gateway but the metadata service.
func (n *Network) arguments() []string {
	mask := net.CIDRMask(n.cfg.CIDR.Bits(), 32)
	return []string{
		"netns", "exec", n.cfg.Namespace,
		"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--port=0",
		"--interface=" + n.cfg.Bridge, "--except-interface=lo", "--bind-interfaces",
		"--dhcp-range=" + n.cfg.CIDR.Addr().String() + ",static," + netip.AddrFrom4([4]byte(mask)).String() + "," + leaseTime,
		"--dhcp-hostsdir=" + n.hostsDir(), "--dhcp-leasefile=" + n.leaseFile(),
		"--dhcp-authoritative", "--dhcp-no-override", "--dhcp-lease-max=" + strconv.Itoa(maxLeases),
		"--dhcp-option=3", "--dhcp-option=6", "--dhcp-option=26," + strconv.Itoa(n.cfg.MTU),
		"--dhcp-option=121," + MetadataAddress + "/32," + n.cfg.Gateway.String(),
		"--pid-file=" + n.pidFile(), "--log-facility=" + filepath.Join(n.cfg.Dir, "dnsmasq.log"),
	}
}

// pidFile is written by dnsmasq when it is ready, startedFile by us before.
func (n *Network) pidFile() string     { return filepath.Join(n.cfg.Dir, "dnsmasq.pid") }
func (n *Network) startedFile() string { return filepath.Join(n.cfg.Dir, "dnsmasq.started") }

func (n *Network) leaseFile() string { return filepath.Join(n.cfg.Dir, "leases") }
func (n *Network) hostsDir() string  { return filepath.Join(n.cfg.Dir, "hosts") }

// start runs dnsmasq and a goroutine that waits for its end.
func (s *server) start() error {
	path, err := exec.LookPath("ip")
	if err != nil {
		path = "/usr/sbin/ip"
	}
	cmd := exec.Command(path, s.net.arguments()...)
	cmd.Env = []string{"LC_ALL=C", "PATH=" + searchPath()}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a Ctrl-C is not meant for it
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start dnsmasq: %w: %w", err, messages.Unavailable)
	}
	s.cmd, s.exited = cmd, make(chan struct{})
	go s.supervise(cmd, s.exited)
	// For a process that comes after this one, even if it comes before dnsmasq is ready.
	if err := os.WriteFile(s.net.startedFile(), []byte(strconv.Itoa(cmd.Process.Pid)), 0o644); err != nil {
		s.net.cfg.Log.Warn().Err(err).Str("namespace", s.net.cfg.Namespace).Msg("dnsmasq's number not noted")
	}
	return nil
}

// supervise starts dnsmasq anew when it ends without being told to.
func (s *server) supervise(cmd *exec.Cmd, exited chan struct{}) {
	err := cmd.Wait()
	close(exited)
	for wait := firstBackOff; ; wait = min(2*wait, lastBackOff) {
		select {
		case <-s.released:
			return
		default:
		}
		s.net.cfg.Log.Warn().Err(err).Dur("again_in", wait).Str("namespace", s.net.cfg.Namespace).Msg("dnsmasq ended")
		select {
		case <-s.released:
			return
		case <-time.After(wait):
		}
		s.mu.Lock()
		err = s.start()
		s.mu.Unlock()
		if err == nil {
			return
		}
	}
}

// reload has dnsmasq read the hosts again, forgetting those that are gone.
func (s *server) reload() {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Before it has written its pid file it might not handle the signal yet, and
	// it reads the hosts after that anyway.
	pid, err := os.ReadFile(s.net.pidFile())
	if err == nil && strings.TrimSpace(string(pid)) == strconv.Itoa(s.cmd.Process.Pid) {
		_ = s.cmd.Process.Signal(unix.SIGHUP) // one that has ended reads everything when it starts
	}
}

// stop ends dnsmasq for good.
func (s *server) stop(ctx context.Context) error {
	s.release()
	s.mu.Lock()
	cmd, exited := s.cmd, s.exited
	s.mu.Unlock()
	_ = cmd.Process.Signal(unix.SIGTERM)
	select {
	case <-exited:
		return nil
	case <-time.After(endGrace):
	case <-ctx.Done():
	}
	_ = cmd.Process.Kill()
	<-exited
	return nil
}

// endOld ends what an earlier process has left running.
func (s *server) endOld(ctx context.Context) error {
	for _, file := range []string{s.net.pidFile(), s.net.startedFile()} {
		text, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && pid > 1 {
			if err := s.end(ctx, pid); err != nil {
				return err
			}
		}
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) { // dnsmasq removes its own
			return err
		}
	}
	return nil
}

// end ends a dnsmasq of an earlier process. The number may be old and somebody else's
// by now: it must be a dnsmasq in our namespace.
func (s *server) end(ctx context.Context, pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	for began := time.Now(); nameOf(pid) == "ip" && time.Since(began) < endGrace && !ended(ctx, fd, startPause); {
		// It is on its way into the namespace, where it becomes dnsmasq.
	}
	if nameOf(pid) != "dnsmasq" || !sameNamespace(pid, s.net.cfg.Namespace) {
		return nil
	}
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil {
			return nil // it has ended by itself
		}
		if ended(ctx, fd, endGrace) {
			return nil
		}
	}
	return fmt.Errorf("dnsmasq %d of an earlier process does not end: %w", pid, messages.Unavailable)
}

// nameOf is what a process calls itself; "" if there is none.
func nameOf(pid int) string {
	comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return strings.TrimSpace(string(comm))
}

// ended waits until the process behind a pidfd is gone, at most so long.
func ended(ctx context.Context, fd int, atMost time.Duration) bool {
	const look = 100 * time.Millisecond // at ctx
	for until := time.Now().Add(atMost); ctx.Err() == nil; {
		left := max(0, min(time.Until(until), look))
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left.Milliseconds()))
		if err == nil && n > 0 {
			return true
		}
		if left == 0 {
			return false
		}
	}
	return false
}
