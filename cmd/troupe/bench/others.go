package bench

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// usage is processor time since the machine, and since this benchmark, began.
type usage struct{ all, free, ours time.Duration }

// usage reads what the processors did. Without /proc there is none.
func (r *run) usage() (u usage) {
	f, err := os.Open("/proc/stat")
	if err != nil {
		return u
	}
	defer f.Close()
	line, _ := bufio.NewReader(f).ReadString('\n')
	// user, nice, system, idle, iowait, irq, softirq, steal (proc(5)); guest time is in user.
	for i, field := range strings.Fields(line) {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil || i > 8 {
			continue
		}
		ticks := time.Duration(n) * time.Second / clockTicks
		if u.all += ticks; i == 4 || i == 5 {
			u.free += ticks
		}
	}
	var self syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &self) == nil {
		u.ours = time.Duration(self.Utime.Nano() + self.Stime.Nano())
	}
	switch {
	case r.group != nil:
		u.ours += r.group.cpu()
	case r.cloud != nil:
		if cloud, err := r.cloud.cpu(); err == nil {
			u.ours += cloud
		}
	}
	return u
}

// others says how much of the machine was neither free nor ours since before:
// other processes, the kernel's own work, and what the hypervisor gave to other
// machines. A rate that was measured beside others says little.
func (r *run) others(before usage) string {
	now := r.usage()
	all := now.all - before.all
	if all <= 0 {
		return ""
	}
	busy := all - (now.free - before.free) - (now.ours - before.ours)
	return fmt.Sprintf("others had %d %% of the machine", max(0, 100*busy/all))
}
