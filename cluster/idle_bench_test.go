package cluster_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/membership"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
)

// BenchmarkIdleCloud is what nodes that do nothing say to each other, over real
// connections, and what that takes of the processor. Each iteration is a second.
func BenchmarkIdleCloud(b *testing.B) {
	for _, many := range []int{3, 10, 30} {
		b.Run(fmt.Sprintf("%dnodes", many), func(b *testing.B) {
			table, config := membership.NewMemory(0), cluster.Config{Store: mem.New(), Kinds: kindsOf()}
			all := make([]real, many)
			for i := range all {
				all[i] = connectQuietly(b, table, fmt.Sprintf("n%02d", i), config, zerolog.Nop())
			}
			quickly(b, "everybody has come to one view", func() bool {
				for _, n := range all {
					if s, _ := n.net.Stable(); s != all[0].net.View().Index || len(n.net.View().Members) != many {
						return false
					}
				}
				return true
			})
			time.Sleep(5 * time.Second) // what the joining has stirred up comes to rest
			sent := func() (frames, bytes uint64) {
				for _, n := range all {
					for _, s := range n.net.Server().Stats() {
						frames += s.SentFrames
						bytes += s.SentBytes
					}
				}
				return frames, bytes
			}
			frames, bytes := sent()
			cpu := cpuTime()
			b.ResetTimer()
			for range b.N {
				time.Sleep(time.Second)
			}
			b.StopTimer()
			cpu = cpuTime() - cpu
			f, by := sent()
			per := b.Elapsed().Seconds() * float64(many)
			b.ReportMetric(float64(f-frames)/per, "messages/s/node")
			b.ReportMetric(float64(by-bytes)/per, "B/s/node")
			b.ReportMetric(cpu.Seconds()*1000/per, "cpu-ms/s/node")
			for _, n := range all {
				n.stop(b)
			}
			table.Close()
		})
	}
}
