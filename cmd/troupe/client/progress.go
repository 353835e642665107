package client

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"
)

// progress tells a person at a terminal how far a long command is, in one line
// on standard error that it rewrites. Without a terminal it is silent.
type progress struct {
	w     io.Writer // nil: silent
	began time.Time
	last  time.Time
	width int
}

const progressInterval = 100 * time.Millisecond // between two rewrites of the line

func newProgress(cmd *cobra.Command) *progress {
	p := &progress{began: time.Now()}
	if f, ok := cmd.ErrOrStderr().(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		p.w = f
	}
	return p
}

// say rewrites the line.
func (p *progress) say(format string, args ...any) {
	if p.w == nil {
		return
	}
	line := fmt.Sprintf(format, args...)
	fmt.Fprintf(p.w, "\r%s%s", line, strings.Repeat(" ", max(0, p.width-len(line))))
	p.width = len(line)
}

// end removes the line.
func (p *progress) end() {
	if p.w != nil && p.width > 0 {
		fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.width))
	}
}

// bar shows how many bytes of total have gone.
func (p *progress) bar(done, total int64) {
	if now := time.Now(); now.Sub(p.last) < progressInterval && done < total {
		return
	} else {
		p.last = now
	}
	const cells = 30
	full := cells
	if total > 0 {
		full = int(done * cells / total)
	}
	rate := float64(done) / max(time.Since(p.began).Seconds(), 1e-3)
	p.say("[%s%s] %s of %s, %s/s", strings.Repeat("#", full), strings.Repeat(".", cells-full),
		bytesText(done), bytesText(total), bytesText(int64(rate)))
}

// metered counts what is read from r.
type metered struct {
	r     io.Reader
	p     *progress
	done  int64
	total int64
}

func (m *metered) Read(b []byte) (int, error) {
	n, err := m.r.Read(b)
	m.done += int64(n)
	m.p.bar(m.done, m.total)
	return n, err
}

// bytesText is n in the unit that gives it at most four digits.
func bytesText(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, i := float64(n), 0
	for f >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}
