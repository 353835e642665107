//go:build linux

package flatnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"github.com/troupe-cloud/troupe/messages"
)

// guest is a machine on the bridge with an address and a listener that says hello,
// to whoever it is that connects.
func guest(t *testing.T, n *Network, mac, address string) (port uint16) {
	t.Helper()
	ns := client(t, n, mac)
	if err := run(t.Context(), "ip", "-n", ns, "addr", "add", address+"/24", "dev", "eth0"); err != nil {
		t.Fatal(err)
	}
	var l net.Listener
	err := inNamespace(ns, func() (err error) {
		l, err = net.Listen("tcp4", address+":0")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			from, _, _ := net.SplitHostPort(c.RemoteAddr().String())
			_, _ = io.WriteString(c, "hello "+from)
			_ = c.Close()
		}
	}()
	return uint16(l.Addr().(*net.TCPAddr).Port)
}

// TestDialGuest: this process, which is not in the namespace, reaches guests there, and
// nothing else that can be reached from there; and stays where it is.
func TestDialGuest(t *testing.T) {
	n := open(t)
	id := uuid.NewString()
	lease(t, n, id, mac1, "10.88.0.21")
	port := guest(t, n, mac1, "10.88.0.21")
	stranger := guest(t, n, mac2, "10.88.0.22")
	service, err := n.Listen(t.Context(), MetadataAddress+":80")
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	at := netip.AddrPortFrom(netip.MustParseAddr("10.88.0.21"), port)
	var calls sync.WaitGroup
	for range 50 {
		calls.Go(func() {
			c, err := n.DialGuest(ctx, at)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			if idle := keepIdle(t, c); idle != probeEvery {
				t.Errorf("it is probed after %v", idle)
			}
			if said, err := io.ReadAll(c); err != nil || string(said) != "hello 10.88.0.1" || c.RemoteAddr().String() != at.String() {
				t.Errorf("%v said %q, %v", c.RemoteAddr(), said, err)
			}
		})
	}
	calls.Wait()
	everyThreadIsHome(t)

	for _, to := range []netip.AddrPort{
		netip.AddrPortFrom(netip.MustParseAddr("10.88.0.22"), stranger),
		netip.MustParseAddrPort(MetadataAddress + ":80"),
		netip.MustParseAddrPort("10.88.0.1:80"),
		netip.MustParseAddrPort("127.0.0.1:80"),
		netip.MustParseAddrPort("10.88.0.255:80"),
	} {
		if c, err := n.DialGuest(ctx, to); !errors.Is(err, messages.NotFound) {
			t.Errorf("%v is no guest's: %v, %v", to, c, err)
		}
	}

	closed := netip.AddrPortFrom(at.Addr(), 9)
	if _, err := n.DialGuest(ctx, closed); err == nil || errors.Is(err, messages.NotFound) {
		t.Errorf("a port that nobody listens at: %v", err)
	}
	if err := n.Remove(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := n.DialGuest(ctx, at); !errors.Is(err, messages.NotFound) {
		t.Errorf("a guest that is gone: %v", err)
	}
	if _, err := DialInside(ctx, "no-such-name", at); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no namespace: %v", err)
	}
}

// keepIdle is after which silence the kernel probes a connection.
func keepIdle(t *testing.T, c net.Conn) time.Duration {
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Error(err)
		return 0
	}
	var s int
	if e := raw.Control(func(fd uintptr) { s, err = unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPIDLE) }); e != nil || err != nil {
		t.Error(e, err)
	}
	return time.Duration(s) * time.Second
}

// TestDialGuestGivesUp: with the context, where nobody answers.
func TestDialGuestGivesUp(t *testing.T) {
	n := open(t)
	lease(t, n, uuid.NewString(), mac1, "10.88.0.23") // of a machine that is not there
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := n.DialGuest(ctx, netip.MustParseAddrPort("10.88.0.23:80"))
		done <- err
	}()
	cancel()
	if err := <-done; err == nil {
		t.Error("somebody answered")
	}
	everyThreadIsHome(t)
}

// everyThreadIsHome fails if a thread of this process is in another namespace than
// the process. Called when nothing is under way there.
func everyThreadIsHome(t *testing.T) {
	t.Helper()
	home, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	all, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/ns/net", os.Getpid()))
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	for _, thread := range all {
		if at, err := os.Readlink(thread); err == nil && at != home { // one that has ended is nowhere
			t.Errorf("%s is in %s, and not in %s", thread, at, home)
		}
	}
}
