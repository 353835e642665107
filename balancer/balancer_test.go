package balancer

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"
)

func choose(t *testing.T, b *Balancer, r *Request) *Server {
	t.Helper()
	s, err := b.Choose(r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// call has one call go to a server, and end so.
func call(b *Balancer, s *Server, r Result) { b.Begin(s).End(r) }

// TestHalfOpen: a server that refuses gets nothing for a while, then one call, and
// all its share again once that went well.
func TestHalfOpen(t *testing.T) {
	c := newClock()
	b := balancerOf(t, Config{Rule: &RoundRobin{}, Now: c.now}, endpoints(3))
	dead := choose(t, b, &Request{})
	call(b, dead, Refused)
	if got := chosen(t, b, 30, Request{})[dead.Address()]; got != 0 {
		t.Fatalf("a server that refused got %d calls", got)
	}
	c.pass(1100 * time.Millisecond)
	b.look()
	var trial Call
	trials := 0
	for range 30 {
		if s := choose(t, b, &Request{}); s.history == dead.history {
			trials++
			trial = b.Begin(s)
		}
	}
	if trials != 1 {
		t.Fatalf("%d calls went to a server that may be dead, want one", trials)
	}
	trial.End(Refused)
	if got := chosen(t, b, 30, Request{})[dead.Address()]; got != 0 {
		t.Fatalf("after a failed trial it got %d calls", got)
	}
	c.pass(2100 * time.Millisecond)
	b.look()
	for range 30 {
		if s := choose(t, b, &Request{}); s.history == dead.history {
			call(b, s, OK)
		}
	}
	if got := chosen(t, b, 30, Request{})[dead.Address()]; got != 10 {
		t.Errorf("a server that is back got %d of 30 calls", got)
	}
}

// TestTimeoutsTripLater: a time-out says less than a refused connection.
func TestTimeoutsTripLater(t *testing.T) {
	c := newClock()
	b := balancerOf(t, Config{Now: c.now}, endpoints(3))
	s := choose(t, b, &Request{})
	for i := range 3 {
		if ok, _ := s.usable(b.now()); !ok {
			t.Fatalf("tripped after %d time-outs", i)
		}
		call(b, s, Unreachable)
	}
	if ok, _ := s.usable(b.now()); ok {
		t.Error("not tripped after three time-outs")
	}
	call(b, s, OK) // one that was under way
	if ok, _ := s.usable(b.now()); !ok {
		t.Error("a success did not close the circuit")
	}
}

// TestEjected: bad answers eject, but never so many that the others suffer.
func TestEjected(t *testing.T) {
	c := newClock()
	b := balancerOf(t, Config{Rule: &RoundRobin{}, Now: c.now}, endpoints(10))
	for _, s := range b.Set().All[:3] {
		for range 5 {
			call(b, s, Failed)
		}
	}
	if got := len(b.Set().Servers); got != 9 {
		t.Errorf("%d of 10 servers get calls, want 9: at most a tenth is ejected", got)
	}
	c.pass(31 * time.Second)
	b.look()
	if got := len(b.Set().Servers); got != 10 {
		t.Errorf("%d servers get calls after the ejection", got)
	}
}

// TestSuccessRate: who fails far more often than the others is ejected, even if
// never often in a row.
func TestSuccessRate(t *testing.T) {
	c := newClock()
	b := balancerOf(t, Config{Now: c.now}, endpoints(10))
	b.look()
	for i, s := range b.Set().All {
		for j := range 200 {
			r := OK
			if i == 4 && j%3 == 0 {
				r = Failed
			}
			call(b, s, r)
		}
	}
	c.pass(11 * time.Second)
	b.look()
	if got := b.Set().Servers; len(got) != 9 {
		t.Errorf("%d servers get calls, want 9", len(got))
	}
}

// TestPanic: when most servers answer badly, that is not looked at; those that
// cannot be reached are still spared.
func TestPanic(t *testing.T) {
	c := newClock()
	o := DefaultOutliers
	o.MaxShare = 1
	b := balancerOf(t, Config{Now: c.now, Outliers: &o}, endpoints(5))
	all := b.Set().All
	call(b, all[0], Refused)
	for _, s := range all[1:4] {
		for range 5 {
			call(b, s, Failed)
		}
	}
	if set := b.Set(); !set.Panic || len(set.Servers) != 4 {
		t.Errorf("panic %v with %d servers, want all but the one that refuses", set.Panic, len(set.Servers))
	}
}

// TestAllDown: when nothing can be reached, calls try anyway; without any server
// they say so.
func TestAllDown(t *testing.T) {
	c := newClock()
	b := balancerOf(t, Config{Now: c.now}, endpoints(2))
	for _, s := range b.Set().All {
		call(b, s, Refused)
	}
	if _, err := b.Choose(&Request{}); err != nil {
		t.Errorf("with all of them tripped: %v", err)
	}
	if _, err := New("none", Config{}).Choose(&Request{}); !errors.Is(err, ErrNoServer) || err.Error() != "no instances available for none" {
		t.Errorf("without servers: %v", err)
	}
	down := endpoints(2)
	down[0].Down, down[1].Down = true, true
	b.Update(down)
	if _, err := b.Choose(&Request{}); !errors.Is(err, ErrNoServer) {
		t.Errorf("with all of them out of service: %v", err)
	}
}

// TestEmptyList: a registry that suddenly knows nobody is not believed for a while.
func TestEmptyList(t *testing.T) {
	c := newClock()
	b := balancerOf(t, Config{Now: c.now, KeepEmpty: time.Minute}, endpoints(3))
	b.Update(nil)
	if got := len(b.Set().Servers); got != 3 {
		t.Fatalf("%d servers after an empty list", got)
	}
	c.pass(time.Minute)
	b.look()
	if got := len(b.Set().Servers); got != 0 {
		t.Errorf("%d servers a minute after the list became empty", got)
	}
}

// TestSlowStart: a new server comes up to its share.
func TestSlowStart(t *testing.T) {
	c := newClock()
	slow := DefaultSlowStart
	slow.Window = 10 * time.Second
	b := balancerOf(t, Config{Rule: &Random{Draw: seeded(3)}, Now: c.now, SlowStart: slow}, endpoints(4))
	c.pass(time.Minute)
	b.Update(endpoints(5))
	fresh := endpoint(4, "")
	for _, step := range []struct {
		after    time.Duration
		low, top int
	}{{0, 1, 60}, {5 * time.Second, 180, 270}, {5 * time.Second, 340, 460}} {
		c.pass(step.after)
		b.look()
		if got := chosen(t, b, 2000, Request{})[fresh.Address()]; got < step.low || got > step.top {
			t.Errorf("%v later it gets %d of 2000 calls, want %d to %d", step.after, got, step.low, step.top)
		}
	}
}

// TestHistoryStays: an endpoint whose description changes, or that comes back, is
// the same server.
func TestHistoryStays(t *testing.T) {
	c := newClock()
	b := balancerOf(t, Config{Now: c.now}, endpoints(2))
	s := b.Set().All[0]
	call(b, s, OK)
	list := endpoints(2)
	list[0].Weight, list[1].Weight = 3, 3
	b.Update(list)
	if got := b.Set().All[0]; got == s || got.history != s.history || got.Weight != 3 {
		t.Error("a changed weight lost the history, or did not count")
	}
	b.Update(list[1:])
	b.Update(list)
	if got := b.Stats()[0].Calls; got != 1 {
		t.Errorf("a server that came back has %d calls in its history", got)
	}
}

// TestStorm does everything at random, by seed, and checks what must always hold.
func TestStorm(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 9))
		c := newClock()
		b := New("storm", Config{Rule: allRules(seed)[pick(r, "round robin", "weighted round robin", "random", "p2c", "peak ewma", "zone avoidance", "zone aware", "ring hash")], Now: c.now, Zone: "a"})
		var under []Call
		for range 300 {
			switch r.IntN(8) {
			case 0:
				list := endpoints(r.IntN(12), "a", "b", "c")
				for i := range list {
					list[i].Down, list[i].Weight = r.IntN(5) == 0, float64(r.IntN(4))
				}
				b.Update(list)
			case 1:
				c.pass(time.Duration(r.IntN(8000)) * time.Millisecond)
				b.look()
			case 2:
				b.SetAlive(endpoints(12)[r.IntN(12)].Address(), r.IntN(2) == 0)
			default:
				s, err := b.Choose(&Request{Key: uint64(r.IntN(3))})
				set := b.Set()
				if (err != nil) != (len(set.Servers) == 0) {
					t.Fatalf("seed %d: %d servers, and %v", seed, len(set.Servers), err)
				}
				if err != nil {
					continue
				}
				if ok, _ := s.usable(b.now()); !ok && !set.Panic {
					t.Fatalf("seed %d: %s was chosen: %+v", seed, s.Address(), s.read(b.now()))
				}
				if s.Down || s.Weight <= 0 {
					t.Fatalf("seed %d: %s was chosen, which is out of service", seed, s.Address())
				}
				under = append(under, b.Begin(s))
			}
			for len(under) > r.IntN(6) {
				under[0].End(Result(r.IntN(5)))
				under = under[1:]
			}
		}
		for _, u := range under {
			u.End(OK)
		}
		for _, s := range b.Stats() {
			if s.Active != 0 {
				t.Fatalf("seed %d: %d calls under way after all have ended", seed, s.Active)
			}
		}
		b.Close()
	}
}

func pick(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }

// TestFlap: a list that changes all the time, while calls go on.
func TestFlap(t *testing.T) {
	b := balancerOf(t, Config{Rule: &PeakEWMA{}}, endpoints(10, "a", "b"))
	ended, calls := make(chan struct{}), make(chan error, 2)
	for range cap(calls) {
		go func() {
			for {
				select {
				case <-ended:
					calls <- nil
					return
				default:
				}
				s, err := b.Choose(&Request{})
				if err != nil {
					calls <- err
					return
				}
				b.Begin(s).End(OK)
			}
		}()
	}
	for i := range 500 {
		list := endpoints(10, "a", "b")[i%7:]
		list[0].Port = -1 // no address
		if i%3 == 0 {
			list = nil
		}
		b.Update(list)
	}
	close(ended)
	for range cap(calls) {
		if err := <-calls; err != nil {
			t.Error(err)
		}
	}
}
