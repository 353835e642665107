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

func (n *Network) pidFile() string   { return filepath.Join(n.cfg.Dir, "dnsmasq.pid") }
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

// endOld ends the dnsmasq of an earlier process. The pid file may be old and its
// number somebody else's: it must be a dnsmasq in our namespace.
func (s *server) endOld(ctx context.Context) error {
	text, err := os.ReadFile(s.net.pidFile())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid < 2 {
		return os.Remove(s.net.pidFile())
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return os.Remove(s.net.pidFile())
	}
	defer unix.Close(fd)
	comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if strings.TrimSpace(string(comm)) != "dnsmasq" || !sameNamespace(pid, s.net.cfg.Namespace) {
		return os.Remove(s.net.pidFile())
	}
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil {
			return nil // it has ended by itself
		}
		if ended(ctx, fd) {
			return nil
		}
	}
	return fmt.Errorf("dnsmasq %d of an earlier process does not end: %w", pid, messages.Unavailable)
}

// ended waits until the process behind a pidfd is gone, at most endGrace.
func ended(ctx context.Context, fd int) bool {
	deadline := time.Now().Add(endGrace)
	for ctx.Err() == nil && time.Now().Before(deadline) {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 100)
		if err == nil && n > 0 {
			return true
		}
	}
	return false
}
