//go:build linux

// Package node owns a private libvirtd: one with its own state, socket and
// network namespace, beside which a libvirtd of the system's is not touched. It
// knows nothing of domains.
package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/scripts"
)

// Node is one private libvirtd.
type Node struct {
	Dir       string // a short absolute path; the node's folder is made in it
	Name      string
	Namespace string // the network namespace it runs in; empty: the caller's
}

// maxSocketPath is the length in bytes of a Unix socket's path.
const maxSocketPath = 107

// outputWait is how long the script's output is waited for after it has ended:
// the daemon may have inherited it.
const outputWait = 2 * time.Second

// Fits says whether the node's socket has a path that a socket can have.
func (n Node) Fits() bool { return len(n.socket()) <= maxSocketPath }

// URI is what a driver connects to.
func (n Node) URI() string { return "qemu+unix:///system?socket=" + n.socket() }

func (n Node) socket() string { return filepath.Join(n.Dir, n.Name, "run/libvirt-sock") }

// Start starts the daemon unless it runs.
func (n Node) Start(ctx context.Context) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("a private libvirtd needs root: %w", messages.Denied)
	}
	return n.run(ctx, "start", n.Namespace)
}

// Kill ends the daemon; guests go on running. The next Start finds them.
func (n Node) Kill(ctx context.Context) error { return n.run(ctx, "kill") }

// Stop ends the node's guests and the daemon.
func (n Node) Stop(ctx context.Context) error { return n.run(ctx, "stop") }

func (n Node) run(ctx context.Context, command string, more ...string) error {
	args := append([]string{"-c", scripts.LibvirtNode, "libvirt-node.sh", command, n.Dir, n.Name}, more...)
	cmd := exec.CommandContext(ctx, "bash", args...)
	cmd.WaitDelay = outputWait
	var text bytes.Buffer
	cmd.Stderr = &text
	err := cmd.Run()
	if err == nil || errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	return fmt.Errorf("%s libvirtd %s: %w: %s: %w", command, n.Name, err, bytes.TrimSpace(text.Bytes()), messages.Unavailable)
}
