// Package lab owns small networks for fault tests: every machine of a lab is a
// network namespace on one bridge, with no route out, and the links between them
// can be cut one way or both. It needs root and iproute2, changes nothing outside
// its own namespaces, and takes them away at the end. SetClock gives a process a wall
// clock of its own.
package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// MaxHosts bounds a lab.
const MaxHosts = 60

const (
	prefix = "trplab"
	subnet = "10.77.0."
	bits   = "/24"
)

// Lab is one network.
type Lab struct {
	name  string // of the namespace that holds the bridge
	mu    sync.Mutex
	hosts []*Host
}

// Host is one machine of a lab.
type Host struct {
	Name string
	IP   string
	ns   string
	lab  *Lab
}

// New makes an empty lab. Labs that a killed process has left are removed.
func New() (*Lab, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("a lab of network namespaces needs root")
	}
	removeLeftovers()
	l := &Lab{name: fmt.Sprintf("%s%d-sw", prefix, os.Getpid())}
	return l, run(
		"ip netns add "+l.name,
		"ip -n "+l.name+" link add br0 type bridge",
		"ip -n "+l.name+" link set br0 up",
	)
}

// Add puts a machine into the lab.
func (l *Lab) Add(name string) (*Host, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.hosts) + 1
	if n > MaxHosts {
		return nil, fmt.Errorf("a lab has at most %d hosts", MaxHosts)
	}
	h := &Host{Name: name, IP: subnet + strconv.Itoa(n), ns: fmt.Sprintf("%s%d-%d", prefix, os.Getpid(), n), lab: l}
	port := fmt.Sprintf("p%d", n)
	l.hosts = append(l.hosts, h)
	return h, run(
		"ip netns add "+h.ns,
		fmt.Sprintf("ip -n %s link add eth0 type veth peer name %s netns %s", h.ns, port, l.name),
		fmt.Sprintf("ip -n %s link set %s master br0 up", l.name, port),
		fmt.Sprintf("ip -n %s addr add %s%s dev eth0", h.ns, h.IP, bits),
		"ip -n "+h.ns+" link set eth0 up",
		"ip -n "+h.ns+" link set lo up",
	)
}

// CutOneWay drops what a sends to b; what b sends still arrives.
func (l *Lab) CutOneWay(a, b *Host) error {
	return run(fmt.Sprintf("ip -n %s route replace blackhole %s/32", a.ns, b.IP))
}

// Cut drops what a and b send to each other.
func (l *Lab) Cut(a, b *Host) error { return errors.Join(l.CutOneWay(a, b), l.CutOneWay(b, a)) }

// Heal undoes every cut.
func (l *Lab) Heal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []error
	for _, h := range l.hosts {
		all = append(all, run("ip -n "+h.ns+" route flush type blackhole"))
	}
	return errors.Join(all...)
}

// Close removes the lab. Processes in it must have ended.
func (l *Lab) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := []error{run("ip netns del " + l.name)}
	for _, h := range l.hosts {
		all = append(all, run("ip netns del "+h.ns))
	}
	return errors.Join(all...)
}

// Command is a command that will run on the machine.
func (h *Host) Command(name string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", h.ns, name}, args...)...)
}

// Dial connects from the machine to an address "IP:port".
func (h *Host) Dial(ctx context.Context, network, address string) (c net.Conn, err error) {
	err = h.inside(func() (err error) {
		c, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return c, err
}

// inside runs work on a thread that is in the machine's namespace: a socket
// belongs to the namespace it was made in, whoever uses it later. Names are not
// looked up and only one address is tried, so that Go stays on the thread. The
// thread goes home afterwards; it must not end, for the processes that it has
// started would be told of its death.
func (h *Host) inside(work func() error) error {
	done := make(chan error, 1)
	go func() { done <- h.onThread(work) }()
	return <-done
}

func (h *Host) onThread(work func() error) error {
	runtime.LockOSThread()
	home, err := os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	ns, err := os.Open(filepath.Join("/run/netns", h.ns))
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer ns.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter %s: %w", h.ns, err)
	}
	err = work()
	if e := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); e != nil {
		return errors.Join(err, e) // locked for ever: nobody may use a thread that is elsewhere
	}
	runtime.UnlockOSThread()
	return err
}

// run runs commands one after the other, until one fails.
func run(commands ...string) error {
	for _, c := range commands {
		words := strings.Fields(c)
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", c, err, out)
		}
	}
	return nil
}

// removeLeftovers removes labs whose process is gone.
func removeLeftovers() {
	names, err := filepath.Glob(filepath.Join("/run/netns", prefix+"*"))
	if err != nil {
		return
	}
	for _, path := range names {
		name := filepath.Base(path)
		pid, _, _ := strings.Cut(strings.TrimPrefix(name, prefix), "-")
		if _, err := os.Stat(filepath.Join("/proc", pid)); errors.Is(err, os.ErrNotExist) {
			_ = run("ip netns del " + name)
		}
	}
}
