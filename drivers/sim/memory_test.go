package sim

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/google/uuid"
)

// BenchmarkMemory reports what 10,000 hosts with 100,000 domains take.
func BenchmarkMemory(b *testing.B) {
	const hosts, each = 10_000, 10
	var before, after runtime.MemStats
	all := make([]*Driver, hosts)
	runtime.GC()
	runtime.ReadMemStats(&before)
	for h := range all {
		all[h] = New(Config{Name: fmt.Sprintf("host-%05d", h)})
		events := all[h].Watch(b.Context())
		<-events // Connected
		for n := range each {
			s := spec()
			s.InstanceId, s.Name = uuid.NewString(), fmt.Sprintf("server-%d-%d", h, n)
			if err := all[h].Build(b.Context(), s); err != nil {
				b.Fatal(err)
			}
			<-events
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	for b.Loop() { // nothing: what is measured stands above; metrics come after the loop, which resets them
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(hosts*each), "B/domain")
	b.ReportMetric(float64(runtime.NumGoroutine()), "goroutines")
	runtime.KeepAlive(all)
}
