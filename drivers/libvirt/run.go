package libvirt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// Limits of the programs that touch images. What is in an image comes from
// outside, and may try to make its reader work, or take memory, for ever.
const (
	toolMemory  = 2 << 30 // bytes of address space
	toolCPU     = 60      // seconds
	toolWait    = 5 * time.Second
	maxToolText = 512 // bytes of an error text that are shown
)

// tool runs a program under those limits and returns what it wrote.
func tool(ctx context.Context, name string, args ...string) ([]byte, error) {
	limits := []string{"--as=" + strconv.Itoa(toolMemory), "--cpu=" + strconv.Itoa(toolCPU), "--core=0", "--", name}
	cmd := exec.CommandContext(ctx, "prlimit", append(limits, args...)...)
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	cmd.WaitDelay = toolWait
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	text := strings.TrimSpace(stderr.String())
	text = text[:min(len(text), maxToolText)]
	switch {
	case err == nil:
		return stdout.Bytes(), nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s: %w: %w", name, ctx.Err(), messages.Unavailable)
	case errors.Is(err, exec.ErrNotFound), strings.Contains(text, "failed to execute"):
		return nil, fmt.Errorf("%s is not installed: %w", name, messages.Unavailable)
	case noRoom(text):
		return nil, fmt.Errorf("%s: no space left on the host's disk: %w", name, messages.Exhausted)
	}
	return nil, fmt.Errorf("%s: %w: %s", name, err, text)
}

// noRoom recognises the kernel's two sentences for a full disk or quota.
func noRoom(text string) bool {
	return strings.Contains(text, "No space left on device") || strings.Contains(text, "Disk quota exceeded")
}
