package balancer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// seeded is a Draw that gives the same every time.
func seeded(seed uint64) Draw {
	r, mu := rand.New(rand.NewPCG(seed, seed)), sync.Mutex{} // a balancer's timers draw too, where a test takes long
	return func() uint64 {
		mu.Lock()
		defer mu.Unlock()
		return r.Uint64()
	}
}

// clock is a time that a test moves; a balancer's timers look at it too.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanos.Store(time.Unix(1_700_000_000, 0).UnixNano())
	return c
}

func (c *clock) now() time.Time       { return time.Unix(0, c.nanos.Load()) }
func (c *clock) pass(d time.Duration) { c.nanos.Add(int64(d)) }

func endpoint(i int, zone string) Endpoint {
	return Endpoint{Host: fmt.Sprintf("10.0.%d.%d", i/250, i%250+1), Port: 80, Weight: 1, Zone: zone}
}

func endpoints(n int, zones ...string) []Endpoint {
	if len(zones) == 0 {
		zones = []string{""}
	}
	list := make([]Endpoint, n)
	for i := range list {
		list[i] = endpoint(i, zones[i%len(zones)])
	}
	return list
}

func balancerOf(t testing.TB, c Config, list []Endpoint) *Balancer {
	t.Helper()
	b := New("service", c)
	b.Update(list)
	t.Cleanup(b.Close)
	return b
}

// chosen counts n choices by address.
func chosen(t testing.TB, b *Balancer, n int, r Request) map[string]int {
	t.Helper()
	got := map[string]int{}
	for range n {
		q := r
		s, err := b.Choose(&q)
		if err != nil {
			t.Fatal(err)
		}
		got[s.Address()]++
	}
	return got
}

// rules is every rule by its name, drawing from seed.
func allRules(seed uint64) map[string]Rule {
	return map[string]Rule{
		"round robin": &RoundRobin{}, "weighted round robin": &WeightedRoundRobin{}, "random": &Random{Draw: seeded(seed)},
		"availability filtering": &AvailabilityFiltering{Limit: 100}, "weighted response time": &WeightedResponseTime{Draw: seeded(seed)},
		"zone avoidance": &ZoneAvoidance{Draw: seeded(seed)}, "zone aware": &ZoneAware{Draw: seeded(seed)},
		"best available": &BestAvailable{}, "p2c": &P2C{Draw: seeded(seed)}, "peak ewma": &PeakEWMA{Draw: seeded(seed)},
		"ring hash": &RingHash{Draw: seeded(seed)}, "maglev": &Maglev{Draw: seeded(seed)},
	}
}

// TestEveryRule: each reaches all servers that get calls, and no other, whatever
// their number.
func TestEveryRule(t *testing.T) {
	for name, rule := range allRules(1) {
		t.Run(name, func(t *testing.T) {
			for _, n := range []int{1, 2, 3, 17} {
				list := endpoints(n+2, "a", "b", "c")
				list[n].Down, list[n+1].Weight = true, 0
				b := balancerOf(t, Config{Rule: rule}, list)
				got := chosen(t, b, 400*n, Request{})
				for i, e := range list {
					if count := got[e.Address()]; (count > 0) != (i < n) {
						t.Errorf("of %d servers number %d got %d calls", n, i, count)
					}
				}
			}
		})
	}
}

// TestWeights: rules that know weights give each server its share.
func TestWeights(t *testing.T) {
	for name, rule := range allRules(2) {
		switch name {
		case "weighted round robin", "random", "ring hash", "maglev", "p2c":
		default:
			continue
		}
		t.Run(name, func(t *testing.T) {
			list := endpoints(3)
			list[0].Weight, list[1].Weight, list[2].Weight = 1, 2, 5
			b := balancerOf(t, Config{Rule: rule}, list)
			got := map[string]float64{}
			var calls []Call
			const n = 8000
			for range n {
				s, err := b.Choose(&Request{})
				if err != nil {
					t.Fatal(err)
				}
				got[s.Address()]++
				calls = append(calls, b.Begin(s)) // P2C sees nothing but calls under way
			}
			for _, c := range calls {
				c.End(OK)
			}
			off := 0.05
			if name == "ring hash" {
				off = 0.1 // so even as its points are
			}
			for _, e := range list {
				if share := got[e.Address()] / n; math.Abs(share-e.Weight/8) > off {
					t.Errorf("weight %v of 8 got %.3f of the calls", e.Weight, share)
				}
			}
		})
	}
}

// TestSmooth: in turn by weight means that nobody is served long before the others.
func TestSmooth(t *testing.T) {
	list := endpoints(3)
	list[0].Weight, list[1].Weight, list[2].Weight = 1, 1, 2
	b := balancerOf(t, Config{Rule: &WeightedRoundRobin{}}, list)
	longest, run, last := 0, 0, ""
	for range 4000 {
		s, err := b.Choose(&Request{})
		if err != nil {
			t.Fatal(err)
		}
		if run++; s.Address() != last {
			run, last = 1, s.Address()
		}
		longest = max(longest, run)
	}
	if longest > 2 {
		t.Errorf("one server was taken %d times in a row", longest)
	}
}

func TestResponseWeights(t *testing.T) {
	// Ribbon's own example: averages of 10, 40, 80 and 100 ms.
	got := responseWeights([]float64{10, 40, 80, 100}, 230)
	if want := []float64{220, 410, 560, 690}; !slices.Equal(got, want) {
		t.Errorf("running sums %v, want %v", got, want)
	}
	if got := responseWeights([]float64{10}, 10); got != nil {
		t.Errorf("one server has the weights %v, want none", got)
	}
	if got := responseWeights([]float64{0, 0}, 0); got != nil {
		t.Errorf("servers that were never called have the weights %v, want none", got)
	}
}

// TestHash: a key stays with its server; when one server goes, about its keys move
// and hardly any other.
func TestHash(t *testing.T) {
	for name, rule := range map[string]Rule{"ring": &RingHash{}, "maglev": &Maglev{}} {
		t.Run(name, func(t *testing.T) {
			const keys, n = 2000, 10
			b := balancerOf(t, Config{Rule: rule}, endpoints(n))
			where := func() (at []string) {
				for k := range keys {
					s, err := b.Choose(&Request{Key: Hash(fmt.Sprint("key", k))})
					if err != nil {
						t.Fatal(err)
					}
					at = append(at, s.Address())
				}
				return at
			}
			before := where()
			if !slices.Equal(before, where()) {
				t.Fatal("a key moved without a cause")
			}
			b.Update(endpoints(n)[:n-1])
			gone, strays := endpoint(n-1, ""), 0
			for i, at := range where() {
				if at != before[i] && before[i] != gone.Address() {
					strays++
				}
			}
			if strays > keys/20 {
				t.Errorf("%d of %d keys moved though their server stayed", strays, keys)
			}
			q := Request{Key: 7}
			s, _ := b.Choose(&q)
			q = Request{Key: 7, Tried: []*Server{s}}
			if other, _ := b.Choose(&q); other == s {
				t.Error("a server that failed was chosen again")
			}
		})
	}
}

func TestZonesAvailable(t *testing.T) {
	first := Draw(func() uint64 { return 0 })
	for _, c := range []struct {
		name  string
		zones []zoneLoad
		want  uint64
	}{
		{"one zone stays, however bad", []zoneLoad{{3, 3, 0}}, 0b1},
		{"no load: all", []zoneLoad{{3, 0, 0}, {3, 0, 0}}, 0b11},
		{"load below the trigger: all", []zoneLoad{{10, 0, 1}, {10, 0, 0}}, 0b11},
		{"the worst goes", []zoneLoad{{10, 0, 3}, {10, 0, 1}, {10, 0, 0}}, 0b110},
		{"of two as bad, one goes", []zoneLoad{{10, 0, 3}, {10, 0, 3}, {10, 0, 0}}, 0b110},
		{"an empty zone goes, and the worst", []zoneLoad{{0, 0, 0}, {10, 0, 1}, {10, 0, 0}}, 0b100},
		{"a dead zone goes, and never the last", []zoneLoad{{4, 4, 0}, {4, 0, 0}}, 0b10},
		{"load counts on those that get calls", []zoneLoad{{4, 2, 1}, {4, 0, 1}}, 0b10},
	} {
		t.Run(c.name, func(t *testing.T) {
			set := &Set{}
			for _, z := range c.zones {
				active := &zoneCounter{}
				active.Store(z.active)
				set.Zones = append(set.Zones, Zone{All: z.servers, Absent: z.tripped, active: active})
			}
			if got := newZoneTable(set, ZonePolicy{}).available(first); got != c.want {
				t.Errorf("zones %b, want %b", got, c.want)
			}
		})
	}
}

func TestCircuit(t *testing.T) {
	for failures, want := range []time.Duration{0, 0, 0, 10, 20, 30, 30, 30} {
		if got := DefaultCircuit.Blackout(failures); got != want*time.Second {
			t.Errorf("after %d failures in a row %v, want %v", failures, got, want*time.Second)
		}
	}
	if got := DefaultCircuit.Blackout(1000); got != 30*time.Second {
		t.Errorf("after very many failures %v", got)
	}
	for failures, want := range map[int]time.Duration{1: 1, 2: 2, 3: 10, 4: 20, 6: 30} {
		if got := DefaultCircuit.After(failures, true); got != want*time.Second {
			t.Errorf("refused %d times: %v, want %v", failures, got, want*time.Second)
		}
	}
}

func TestOutliers(t *testing.T) {
	o := DefaultOutliers
	for n, want := range map[int]time.Duration{0: 30, 1: 30, 3: 90, 10: 300, 1 << 40: 300} {
		if got := o.Ejection(n); got != want*time.Second {
			t.Errorf("ejection %d takes %v, want %v", n, got, want*time.Second)
		}
	}
	for _, c := range []struct {
		ejected, all int
		want         bool
	}{{0, 1, false}, {0, 2, true}, {1, 2, false}, {0, 30, true}, {2, 30, true}, {3, 30, false}} {
		if got := o.Room(c.ejected, c.all); got != c.want {
			t.Errorf("room for one more of %d with %d ejected: %v", c.all, c.ejected, got)
		}
	}
	good, bad, few := tally{1000, 1}, tally{1000, 400}, tally{50, 50}
	if got := o.worst([]tally{good, good, bad, good, good, good, few}); !slices.Equal(got, []int{2}) {
		t.Errorf("the worst are %v, want the third", got)
	}
	if got := o.worst([]tally{good, good, bad, few}); got != nil {
		t.Errorf("of too few servers %v were the worst", got)
	}
}
