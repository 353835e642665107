//go:build linux

package flatnet

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/troupe-cloud/troupe/messages"
)

// Listen opens a TCP listener inside the namespace, e.g. on 169.254.169.254:80.
// addr has a literal address. What it accepts is served by ordinary goroutines: a
// socket belongs to the namespace it was made in, whoever uses it.
func (n *Network) Listen(ctx context.Context, addr string) (ln net.Listener, err error) {
	err = inNamespace(n.cfg.Namespace, func() (err error) {
		ln, err = new(net.ListenConfig).Listen(ctx, "tcp4", addr)
		return err
	})
	return ln, err
}

// DialGuest connects to a guest, as the gateway: drivers.GuestDialer. It goes to no
// address but those that are tied to a guest's MAC: not to the metadata service, nor
// to whatever else listens in the namespace.
func (n *Network) DialGuest(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	if !n.pinned.has(to.Addr()) {
		return nil, fmt.Errorf("no guest of this host has the address %v: %w", to.Addr(), messages.NotFound)
	}
	return DialInside(ctx, n.cfg.Namespace, to)
}

// A machine that is gone says nothing more, not even that it is: a connection to one
// is probed when it has been silent, and broken when that is not answered.
const (
	probeEvery = 2 * time.Second
	probeTimes = 4
)

// DialInside connects to any address from inside a namespace of that name.
func DialInside(ctx context.Context, namespace string, to netip.AddrPort) (net.Conn, error) {
	type dialed struct {
		conn net.Conn
		err  error
	}
	done := make(chan dialed, 1)
	go func() {
		home, err := enter(namespace)
		if err != nil {
			done <- dialed{nil, err}
			return
		}
		home = sync.OnceFunc(home)
		// Control is called when the socket has been made and does not connect yet.
		// That may take long; it needs no place in the namespace and no thread.
		d := net.Dialer{
			Control:         func(string, string, syscall.RawConn) error { home(); return nil },
			KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: probeEvery, Interval: probeEvery, Count: probeTimes},
		}
		conn, err := d.DialContext(ctx, "tcp4", to.String())
		home()
		done <- dialed{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}

// inNamespace runs f on a thread that is inside the namespace. f must not start
// goroutines that matter to it: they would run outside.
func inNamespace(name string, f func() error) error {
	done := make(chan error, 1)
	go func() {
		home, err := enter(name)
		if err == nil {
			err = f()
			home()
		}
		done <- err
	}()
	return <-done
}

// enter takes the calling goroutine into the namespace, until home is called. It has
// to be a goroutine that ends soon: a namespace belongs to a thread, and if the way
// back fails, the thread stays locked and ends with the goroutine, so that nobody
// else gets it.
func enter(name string) (home func(), err error) {
	there, err := os.Open(nsPath(name))
	if err != nil {
		return nil, fmt.Errorf("namespace %s: %w", name, err)
	}
	defer there.Close()
	runtime.LockOSThread()
	from, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		_ = from.Close()
		return nil, fmt.Errorf("enter namespace %s: %w", name, err)
	}
	return func() {
		defer from.Close()
		if unix.Setns(int(from.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
	}, nil
}

// addresses is a set of them; the zero value is empty. Safe for concurrent use.
type addresses struct {
	mu  sync.RWMutex
	all map[netip.Addr]struct{}
}

func (a *addresses) has(address netip.Addr) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	_, ok := a.all[address]
	return ok
}

func (a *addresses) add(text string) {
	address, err := netip.ParseAddr(text)
	if err != nil {
		return // it is no guest's, then
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil {
		a.all = map[netip.Addr]struct{}{}
	}
	a.all[address] = struct{}{}
}

func (a *addresses) remove(text string) {
	if address, err := netip.ParseAddr(text); err == nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.all, address)
	}
}
