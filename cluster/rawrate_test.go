package cluster_test

import (
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/cluster"
)

func TestRawRequestRate(t *testing.T) {
	rate, err := cluster.RawRequestRate(t.Context(), 4, 20*time.Millisecond)
	if err != nil || rate <= 0 {
		t.Errorf("got %v, %v", rate, err)
	}
}
