package service

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

var (
	simSeed = flag.Uint64("seed", 0, "run this history alone")
	simRuns = flag.Int("runs", 15, "how many histories to run")
)

// TestSimulation runs random histories of clients that beat, of clients that
// connections keep, and of nodes that lose messages, deliver them twice, die, stand
// still and move the service, against a model that only knows who lives.
func TestSimulation(t *testing.T) {
	first, runs := uint64(1), *simRuns
	if *simSeed != 0 {
		first, runs = *simSeed, 1
	}
	if testing.Short() {
		runs = min(runs, 5)
	}
	for seed := first; seed < first+uint64(runs); seed++ {
		if ok := t.Run(fmt.Sprint(seed), func(t *testing.T) { simulate(t, seed) }); !ok {
			t.Fatalf("again: go test ./actors/service -run TestSimulation -seed=%d", seed)
		}
	}
}

// client is who serves under some addresses: by beats if it has no connection.
type client struct {
	owner string // of its member's connections; empty: it beats
	has   map[string]float64
}

type simulation struct {
	*world
	rng     *rand.Rand
	clients []*client
	members []string // that live
	made    int
	late    []proto.Message // that may be delivered once more
	calm    bool

	view *messages.Service // the last one
	rev  int64
	look map[int64]string // of a revision
	seen map[string]time.Time
}

func simulate(t *testing.T, seed uint64) {
	s := &simulation{world: newWorld(t), rng: rand.New(rand.NewPCG(seed, 1)), look: map[int64]string{}, seen: map[string]time.Time{}}
	s.crash = func() bool { return !s.calm && s.rng.IntN(12) == 0 }
	for range 3 {
		for range 50 {
			s.fault()
			s.during(time.Duration(s.rng.IntN(3000)) * time.Millisecond)
			if t.Failed() {
				return
			}
		}
		s.settle()
		if t.Failed() {
			return
		}
	}
}

// fault is the next thing that happens.
func (s *simulation) fault() {
	switch s.rng.IntN(16) {
	case 0, 1, 2:
		s.clients = append(s.clients, &client{has: map[string]float64{s.address(): 1}})
		s.beat(s.clients[len(s.clients)-1])
	case 3, 4, 5:
		s.connect()
	case 6, 7:
		s.change()
	case 8, 9, 10:
		s.leave()
	case 11:
		s.moves()
	case 12:
		if len(s.late) > 0 {
			s.tell(s.late[s.rng.IntN(len(s.late))])
		}
	case 13:
		if len(s.members) > 0 && s.rng.IntN(3) == 0 {
			s.memberDies()
		}
	case 14:
		if s.rng.IntN(3) == 0 { // everything stands still
			s.now = s.now.Add(time.Duration(s.rng.IntN(120)) * time.Second)
			s.late = nil
		}
	case 15:
		s.tell(&messages.UpdateEndpoints{Keys: keys(s.address()), Enabled: proto.Bool(s.rng.IntN(2) == 0), Weight: proto.Float64(float64(s.rng.IntN(3)))})
	}
}

func (s *simulation) address() string { return fmt.Sprintf("10.0.0.%02d", s.rng.IntN(40)) }

func (s *simulation) connect() {
	if len(s.members) == 0 || s.rng.IntN(8) == 0 {
		s.made++
		s.members = append(s.members, fmt.Sprintf("m%d", s.made))
	}
	s.made++
	c := &client{owner: fmt.Sprintf("%s/c%d", s.members[s.rng.IntN(len(s.members))], s.made), has: map[string]float64{}}
	for range 1 + s.rng.IntN(3) {
		c.has[s.address()] = 1 + s.rng.Float64()
	}
	s.clients = append(s.clients, c)
	s.tell(c.register())
}

func (c *client) register() *messages.RegisterEndpoints {
	m := &messages.RegisterEndpoints{Owner: c.owner, Replace: c.owner != ""}
	for _, ip := range slices.Sorted(keysOf(c.has)) {
		e := endpoint(ip)
		e.Weight = c.has[ip]
		m.Endpoints = append(m.Endpoints, e)
	}
	return m
}

func keysOf[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// change is a connection that registers something else, or one address less.
func (s *simulation) change() {
	c := s.anyone()
	if c == nil || c.owner == "" {
		return
	}
	if s.rng.IntN(2) == 0 && len(c.has) > 1 {
		ip := slices.Sorted(keysOf(c.has))[0]
		delete(c.has, ip)
		s.tell(&messages.DeregisterEndpoints{Owner: c.owner, Endpoints: keys(ip)})
		return
	}
	c.has[s.address()] = 1 + s.rng.Float64()
	s.tell(c.register())
}

func (s *simulation) anyone() *client {
	if len(s.clients) == 0 {
		return nil
	}
	return s.clients[s.rng.IntN(len(s.clients))]
}

// leave is a client that ends, in order or not.
func (s *simulation) leave() {
	c := s.anyone()
	if c == nil {
		return
	}
	s.clients = slices.DeleteFunc(s.clients, func(o *client) bool { return o == c })
	switch {
	case c.owner != "":
		s.tell(&messages.DropOwner{Owner: c.owner, AtOnce: s.rng.IntN(3) == 0})
	case s.rng.IntN(2) == 0:
		s.tell(&messages.DeregisterEndpoints{Endpoints: keys(slices.Collect(keysOf(c.has))...)})
	}
}

func (s *simulation) memberDies() {
	i := s.rng.IntN(len(s.members))
	s.clients = slices.DeleteFunc(s.clients, func(c *client) bool { return strings.HasPrefix(c.owner, s.members[i]+"/") })
	s.members = slices.Delete(s.members, i, i+1)
}

// tell sends what may be lost, or come twice, or much later.
func (s *simulation) tell(m proto.Message) {
	if s.calm {
		s.send(m)
		return
	}
	s.late = append(s.late[max(0, len(s.late)-6):], m)
	for range []int{1, 1, 1, 1, 1, 0, 2}[s.rng.IntN(7)] {
		s.send(m)
	}
}

// send is one step, and what always holds after one.
func (s *simulation) send(m proto.Message) proto.Message {
	before, was, look := s.state, "", s.rng.IntN(6) == 0
	if look {
		was = before.Value().(State).print()
	}
	answer, err := s.step(m)
	switch messages.KindOf(err) {
	case messages.ErrorKind_ERROR_KIND_NONE, messages.ErrorKind_ERROR_KIND_NOT_FOUND:
	case messages.ErrorKind_ERROR_KIND_UNAVAILABLE: // it broke down
		s.watch(nil)
		return nil
	default:
		s.t.Fatalf("%T: %v", m, err)
	}
	if look && before.Value().(State).print() != was {
		s.t.Fatalf("%T touched its input:\n%s\n%s", m, was, before.Value().(State).print())
	}
	s.watch(m)
	return answer
}

// watch: revisions only grow, and what is seen changes only with them; who watches
// is told.
func (s *simulation) watch(m proto.Message) {
	effects := s.last
	if s.rng.IntN(4) == 0 {
		if bad := s.state.Value().(State).check(); bad != "" {
			s.t.Fatalf("after %T %v:\n%s", m, m, bad)
		}
	}
	v := s.service()
	if v == nil || v == s.view && m != nil {
		return
	}
	s.view = v
	is := lookOf(v)
	was, known := s.look[v.Revision]
	if v.Revision < s.rev || known && was != is {
		s.t.Fatalf("after %T %v: revision %d follows %d\n%s", m, m, v.Revision, s.rev, s.shown())
	}
	if notified := slices.Contains(effects, actors.Effect(actors.Notify{})); v.Revision > s.rev && !notified && s.turns == 0 && m != nil {
		s.t.Fatalf("after %T nobody was told", m)
	}
	s.rev, s.look[v.Revision], s.turns = v.Revision, is, 0
	seen := map[string]time.Time{}
	for _, e := range v.Endpoints {
		seen[e.Ip] = s.now
		if since, ok := s.seen[e.Ip]; ok {
			seen[e.Ip] = since
		}
	}
	s.seen = seen
}

// moves forgets what is not stored. Whoever was shown for longer than a snapshot
// takes is shown after it.
func (s *simulation) moves() {
	seen := s.seen
	s.move()
	s.watch(nil)
	for ip, since := range seen {
		if _, ok := s.seen[ip]; !ok && s.now.Sub(since) > SnapshotEvery+2*time.Second && s.saved(ip) {
			s.t.Fatalf("%s was shown for %v, and is gone by a move", ip, s.now.Sub(since))
		}
	}
}

// saved: somebody who lives still serves under ip, so that it was not about to go.
func (s *simulation) saved(ip string) bool {
	return slices.ContainsFunc(s.clients, func(c *client) bool { return c.has[ip] != 0 })
}

// during is time in which clients beat and members keep, some of it lost.
func (s *simulation) during(d time.Duration) {
	for end := s.now.Add(d); s.now.Before(end); {
		s.tick(250 * time.Millisecond)
		for _, c := range s.clients {
			if c.owner == "" && s.rng.IntN(20) == 0 {
				s.beat(c)
			}
		}
		for _, m := range s.members {
			if s.rng.IntN(20) == 0 {
				s.keep(m)
			}
		}
	}
}

// tick wakes the service when it wants to be.
func (s *simulation) tick(d time.Duration) {
	end := s.now.Add(d)
	for at := s.state.Wake(); !at.IsZero() && !at.After(end); at = s.state.Wake() {
		if at.After(s.now) {
			s.now = at
		}
		s.send(&messages.Woken{})
		if s.t.Failed() {
			return
		}
	}
	s.now = end
}

func (s *simulation) beat(c *client) {
	if !s.calm && s.rng.IntN(6) == 0 {
		return
	}
	ips := slices.Sorted(keysOf(c.has))
	if got, ok := s.send(beats(ips...)).(*messages.EndpointsRenewed); ok && len(got.Unknown) > 0 {
		s.tell(c.register())
	}
}

// keep is a member's KeepOwners, and what it does if the service knows otherwise.
func (s *simulation) keep(member string) {
	if !s.calm && s.rng.IntN(6) == 0 {
		return
	}
	var all []*messages.RegisterEndpoints
	for _, c := range s.clients {
		if strings.HasPrefix(c.owner, member+"/") {
			all = append(all, c.register())
		}
	}
	got, ok := s.send(keep(member, all...)).(*messages.OwnersKept)
	if !ok || !got.Resend {
		return
	}
	for _, o := range got.Owners {
		if !slices.ContainsFunc(s.clients, func(c *client) bool { return c.owner == o }) {
			s.tell(&messages.DropOwner{Owner: o})
		}
	}
	for _, m := range all {
		s.tell(m)
	}
}

// settle is time without faults: then what is shown is who lives.
func (s *simulation) settle() {
	s.calm = true
	for range 50 {
		for _, m := range s.members {
			s.keep(m)
		}
		for _, c := range s.clients {
			if c.owner == "" {
				s.beat(c)
			}
		}
		for range 10 {
			s.tick(200 * time.Millisecond)
		}
	}
	s.calm, s.late = false, nil
	alive := map[string]bool{}
	for _, c := range s.clients {
		for ip := range c.has {
			alive[ip] = true
		}
	}
	v, got := s.service(), []string{}
	for _, e := range v.GetEndpoints() {
		got = append(got, e.Ip)
		if !e.Healthy {
			s.t.Errorf("%s is shown as ill", e.Ip)
		}
	}
	if want := slices.Sorted(keysOf(alive)); !slices.Equal(got, want) || (v == nil) != (len(want) == 0) {
		s.t.Errorf("shown are %v, alive are %v", got, want)
	}
	if e := s.entry(); (e == nil) != (v == nil) || int(e.GetEndpointCount()) != len(got) || int(e.GetHealthyCount()) != len(got) {
		s.t.Errorf("the index says %v of %d", e, len(got))
	}
}
