//go:build linux

package flatnet

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
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

// inNamespace runs f on a thread that is inside the namespace. f must not start
// goroutines that matter to it: they would run outside.
func inNamespace(name string, f func() error) error {
	done := make(chan error, 1)
	go func() {
		// A namespace belongs to a thread. If the way back fails, the thread
		// stays locked and ends with this goroutine, so nobody else gets it.
		runtime.LockOSThread()
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			done <- err
			return
		}
		defer home.Close()
		there, err := os.Open(nsPath(name))
		if err != nil {
			done <- fmt.Errorf("namespace %s: %w", name, err)
			return
		}
		defer there.Close()
		if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter namespace %s: %w", name, err)
			return
		}
		err = f()
		if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}
