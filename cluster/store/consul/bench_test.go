package consul_test

import (
	"testing"

	"github.com/troupe-cloud/troupe/cluster/consultest"
	"github.com/troupe-cloud/troupe/cluster/store/consul"
)

// BenchmarkRates prints what the store makes of what Consul can do.
func BenchmarkRates(b *testing.B) {
	c := consultest.Start(b, consultest.Options{})
	for b.Loop() {
		raw, commits, err := consul.ConsulRates(b.Context(), c.Addr())
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(raw, "raw-ops/s")
		b.ReportMetric(commits, "commits/s")
		b.ReportMetric(100*commits/raw, "percent")
	}
}
