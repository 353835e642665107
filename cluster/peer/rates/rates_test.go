package rates_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/cluster/peer/rates"
)

// BenchmarkCrossing is a call from one node to another, and the same through
// protoactor's own remote.
func BenchmarkCrossing(b *testing.B) {
	for _, callers := range []int{1, rates.Callers} {
		for _, way := range []struct {
			name string
			rate func(context.Context, int, time.Duration) (float64, time.Duration, error)
		}{{"peer", rates.Peer}, {"remote", rates.Remote}} {
			b.Run(fmt.Sprintf("%s/callers=%d", way.name, callers), func(b *testing.B) {
				for b.Loop() {
					rate, p50, err := way.rate(b.Context(), callers, time.Second)
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(rate, "calls/s")
					b.ReportMetric(float64(p50.Microseconds()), "p50-us")
				}
			})
		}
	}
}

// TestRates: the measurement measures.
func TestRates(t *testing.T) {
	rate, p50, err := rates.Peer(t.Context(), 4, 50*time.Millisecond)
	if err != nil || rate <= 0 || p50 <= 0 {
		t.Errorf("got %v, %v, %v", rate, p50, err)
	}
}
