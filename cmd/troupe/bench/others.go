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

// usage is processor time since the machine, the cloud and this benchmark began.
type usage struct{ all, free, stolen, cloud, client time.Duration }

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
		} else if i == 8 {
			u.stolen = ticks
		}
	}
	var self syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &self) == nil {
		u.client = time.Duration(self.Utime.Nano() + self.Stime.Nano())
	}
	switch {
	case r.group != nil:
		u.cloud = r.group.cpu()
	case r.cloud != nil:
		if cloud, err := r.cloud.cpu(); err == nil {
			u.cloud = cloud
		}
	}
	return u
}

// others says how much of the machine was neither free nor ours since before:
// other processes, the kernel's own work, and what the hypervisor gave to other
// machines, which it tells by itself: then everything stands still for a tenth of a
// second or so. A rate that was measured beside others says little.
func (r *run) others(before usage) string {
	now := r.usage()
	all := now.all - before.all
	if all <= 0 {
		return ""
	}
	busy := all - (now.free - before.free) - (now.cloud - before.cloud) - (now.client - before.client)
	said := fmt.Sprintf("others had %d %% of the machine", max(0, 100*busy/all))
	if stolen := now.stolen - before.stolen; stolen > 0 {
		said += fmt.Sprintf(", the hypervisor %.1f %% of it", 100*float64(stolen)/float64(all))
	}
	return said
}

// each says what one of n requests since before has cost in processor time, of
// the cloud and of this benchmark's clients, who share the processors with it.
// It hardly depends on what else the machine does, as rates and waits do.
func (r *run) each(before usage, n int64) string {
	now, us := r.usage(), func(d time.Duration) int64 { return d.Microseconds() / max(1, n) }
	return fmt.Sprintf("processor time of each: cloud %d µs, client %d µs", us(now.cloud-before.cloud), us(now.client-before.client))
}
