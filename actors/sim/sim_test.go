package sim

import (
	"flag"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/host"
	"github.com/troupe-cloud/troupe/actors/instance"
	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/actors/project"
	"github.com/troupe-cloud/troupe/actors/scheduler"
	"github.com/troupe-cloud/troupe/actors/service"
)

var (
	runs = flag.Int("runs", 50, "how many histories to play")
	seed = flag.Uint64("seed", 1, "the first one; the next have the numbers after it")
)

func kinds(mode scheduler.Mode) []actors.Kind {
	return []actors.Kind{instance.Spec(), host.Spec(), project.Spec(), network.Spec(), scheduler.Spec(mode), service.Spec()}
}

// config is what the history of a seed is of.
func config(seed uint64) Config {
	mode := []scheduler.Mode{scheduler.Filter, scheduler.Caching, scheduler.Chance}[seed%3]
	weather, after := Hostile, time.Duration(0)
	if seed%2 == 0 {
		weather.NodeDies, after = 0.03, 12*time.Second
	}
	if seed%10 == 0 {
		weather = Faults{MaxDelay: Hostile.MaxDelay} // only slow: what must work must work
	}
	// A range so small that it runs out of addresses now and then.
	id, net, subnet := network.Flat(netip.MustParsePrefix("10.9.0.0/29"), "admin")
	return Config{
		Kinds: kinds(mode), Hosts: 3, Acts: 40, Faults: weather, Network: id, Shared: seed%4 > 1, After: after,
		Setup: []actors.Tell{{To: network.Ref(id), Message: net}, {To: network.Ref(id), Message: subnet}},
	}
}

// TestCloud plays whole histories of the cloud, each from one seed.
func TestCloud(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	const workers = 2
	for worker := range workers {
		wg.Go(func() {
			for s := *seed + uint64(worker); s < *seed+uint64(*runs) && !t.Failed(); s += workers {
				if err := Run(s, config(s)); err != nil {
					t.Error(fmt.Errorf("%w\nreplay: make sim SEED=%d", err, s))
				}
			}
		})
	}
	wg.Wait()
}

// TestReplay: one seed is one history, every time.
func TestReplay(t *testing.T) {
	t.Parallel()
	for s := *seed; s < *seed+12; s++ {
		first := play(s, config(s)).trace
		for range 3 {
			again := play(s, config(s)).trace
			for i := range max(len(first), len(again)) {
				if i >= len(first) || i >= len(again) || first[i] != again[i] {
					t.Fatalf("seed %d: a second history differs after %d lines:\n%s\nand first:\n%s", s, i, around(again, i), around(first, i))
				}
			}
		}
	}
}

// around is a line of a trace, those before it, and some after it.
func around(trace []string, i int) string {
	return strings.Join(trace[max(0, min(i, len(trace))-10):min(i+3, len(trace))], "\n")
}
