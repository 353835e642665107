package balancer

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkChoose is a choice among 1,000 servers in four zones.
func BenchmarkChoose(b *testing.B) {
	list := endpoints(1000, "a", "b", "c", "d")
	for _, c := range []struct {
		name string
		rule Rule
	}{
		{"round-robin", &RoundRobin{}}, {"weighted-round-robin", &WeightedRoundRobin{}}, {"random", &Random{}}, {"p2c", &P2C{}},
		{"peak-ewma", &PeakEWMA{}}, {"zone-avoidance", &ZoneAvoidance{}}, {"zone-aware", &ZoneAware{}}, {"availability", &AvailabilityFiltering{Limit: 10}},
		{"weighted-response-time", &WeightedResponseTime{}}, {"ring-hash", &RingHash{}}, {"maglev", &Maglev{}},
	} {
		b.Run(c.name, func(b *testing.B) {
			of := balancerOf(b, Config{Rule: c.rule}, list)
			for i, s := range of.Set().All {
				s.observe(1, time.Duration(i+1)*time.Microsecond)
			}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				var r Request
				for pb.Next() {
					r.Now = 0
					if _, err := of.Choose(&r); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkCall is a whole call's bookkeeping.
func BenchmarkCall(b *testing.B) {
	of := balancerOf(b, Config{Rule: &P2C{}}, endpoints(1000))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		var r Request
		for pb.Next() {
			s, _ := of.Choose(&r)
			of.Begin(s).End(OK)
		}
	})
}

// BenchmarkUpdate is a list of which one server has changed.
func BenchmarkUpdate(b *testing.B) {
	for _, n := range []int{10, 1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			of := balancerOf(b, Config{}, endpoints(n))
			list := endpoints(n)
			b.ReportAllocs()
			for i := range b.N {
				list[i%n].Weight++
				of.Update(list)
			}
		})
	}
}
