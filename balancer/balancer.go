package balancer

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Defaults of Config.
const (
	DefaultPanic     = 0.5
	DefaultKeepEmpty = 5 * time.Minute
	forgetAfter      = 30 * time.Minute // statistics of who left the list: Ribbon's expire.minutes
	trialTime        = 10 * time.Second // after which another call may try a server that was left alone
	maxDraws         = 8                // of the rule, before any server that suits is taken
)

// ErrNoServer: there is no server that a call could go to.
var ErrNoServer = errors.New("no instances available")

// Config is how one service is balanced. The zero Config is Ribbon's default rule
// with health as its callers see it.
type Config struct {
	Rule   Rule   // nil: ZoneAvoidance
	Filter Filter // nil: none
	Zone   string // the caller's own; "": none

	Circuit   *Circuit  // nil: DefaultCircuit
	Outliers  *Outliers // nil: DefaultOutliers
	SlowStart SlowStart // zero: servers have their weight at once

	// Panic is the share of servers that answer well below which that is not looked
	// at any more, for the rest could not carry all calls. 0: DefaultPanic; negative:
	// never.
	Panic float64

	// KeepEmpty is how long an empty list is not believed, after one that was not.
	// 0: DefaultKeepEmpty; negative: it is at once.
	KeepEmpty time.Duration

	// Now is the clock; nil: time.Now. Only differences count.
	Now func() time.Time
}

// Balancer chooses among the servers of one service. Safe for concurrent use.
type Balancer struct {
	name     string
	config   Config
	plan     plan
	circuit  Circuit
	outliers Outliers
	epoch    time.Time
	clock    func() int64
	roughly  atomic.Int64 // the time of a call of late, for who need not know it better

	budget    *Budget
	deadlines deadlines // of calls by HTTP
	times     recent    // of all servers
	set       atomic.Pointer[Set]
	first     chan struct{} // closed once there was a list
	once      sync.Once

	mu        sync.Mutex
	list      []*Server
	known     map[string]*remembered
	zones     map[string]*zoneCounter
	timer     *time.Timer
	emptied   int64 // since when lists have been empty; 0: they are not
	interval  int64 // when success rates are looked at next
	closed    bool
	listeners []func(*Set)
}

// remembered is the history of an endpoint, also after it left the list.
type remembered struct {
	*history
	added int64
	left  int64 // when; 0: it is on the list
}

// New makes a balancer without servers.
func New(name string, c Config) *Balancer {
	b := &Balancer{
		name: name, config: c, circuit: DefaultCircuit, outliers: DefaultOutliers, epoch: time.Now(),
		first: make(chan struct{}), budget: NewBudget(DefaultRatio, DefaultReserve), known: map[string]*remembered{}, zones: map[string]*zoneCounter{},
	}
	if c.Now != nil {
		b.epoch = c.Now()
	}
	b.clock = b.now
	b.epoch = b.epoch.Add(-1) // so that no time is 0, which means none
	b.deadlines.epoch = time.Now()
	if c.Now == nil {
		b.deadlines.epoch = b.epoch
	}
	if c.Circuit != nil {
		b.circuit = *c.Circuit
	}
	if c.Outliers != nil {
		b.outliers = *c.Outliers
	}
	if b.config.Rule == nil {
		b.config.Rule = &ZoneAvoidance{}
	}
	b.plan = plan{slow: c.SlowStart, panicAt: max(cmp.Or(c.Panic, DefaultPanic), 0), ownZone: c.Zone, filter: c.Filter, counters: b.zoneCounter}
	b.set.Store(&Set{Own: -1, rule: b.config.Rule})
	return b
}

// Name is the service's.
func (b *Balancer) Name() string { return b.name }

// Set is what is chosen from now.
func (b *Balancer) Set() *Set { return b.set.Load() }

// Ready is closed once there was a list of servers, even an empty one.
func (b *Balancer) Ready() <-chan struct{} { return b.first }

func (b *Balancer) now() int64 {
	if b.config.Now != nil {
		return int64(b.config.Now().Sub(b.epoch))
	}
	return int64(time.Since(b.epoch))
}

// real is the time for deadlines at now, by which a call has begun.
func (b *Balancer) real(now int64) int64 {
	if b.config.Now != nil {
		return b.deadlines.now()
	}
	return now
}

// noted is now, which is noted for those who need not know it exactly.
func (b *Balancer) noted() int64 {
	now := b.now()
	if now-b.roughly.Load() >= int64(time.Millisecond) {
		b.roughly.Store(now)
	}
	return now
}

func (b *Balancer) quantile(q float64) time.Duration { return b.times.quantiles(q)[0] }

func (b *Balancer) zoneCounter(zone string) *zoneCounter {
	c := b.zones[zone]
	if c == nil {
		c = &zoneCounter{}
		b.zones[zone] = c
	}
	return c
}

// rebuild makes the set of now, under the lock.
func (b *Balancer) rebuild(now int64) {
	set, again := b.plan.build(b.list, now)
	set.rule = b.config.Rule
	if p, ok := b.config.Rule.(Preparer); ok && len(set.Servers) > 0 {
		set.table = p.Prepare(set, now)
	}
	if r, ok := b.config.Rule.(interface{ refresh() time.Duration }); ok {
		again = earlier(again, now+int64(r.refresh()))
	}
	if b.outliers.Deviations > 0 && len(b.list) >= max(b.outliers.MinServers, 2) {
		if b.interval <= now {
			b.interval = now + int64(b.outliers.Interval)
		}
		again = earlier(again, b.interval)
	}
	b.set.Store(set)
	b.arm(now, again)
	for _, told := range b.listeners {
		told(set)
	}
}

func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// arm has the balancer look again at a time; 0: not by itself.
func (b *Balancer) arm(now, at int64) {
	if b.emptied != 0 {
		at = earlier(at, b.emptied+int64(b.keepEmpty()))
	}
	if at == 0 || b.closed {
		return
	}
	d := time.Duration(max(at-now, int64(time.Millisecond)))
	if b.timer == nil {
		b.timer = time.AfterFunc(d, b.look)
		return
	}
	b.timer.Reset(d)
}

// look does what is due.
func (b *Balancer) look() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return
	}
	now := b.now()
	if b.emptied != 0 && now-b.emptied >= int64(b.keepEmpty()) {
		b.list, b.emptied = nil, 0
	}
	if b.interval != 0 && b.interval <= now {
		b.rates(now)
	}
	for key, r := range b.known {
		if r.left != 0 && now-r.left > int64(forgetAfter) {
			delete(b.known, key)
		}
	}
	b.rebuild(now)
}

// rates ejects those whose success rates are too far below the others'.
func (b *Balancer) rates(now int64) {
	b.interval = 0
	tallies := make([]tally, len(b.list))
	for i, s := range b.list {
		tallies[i] = s.takeInterval()
		if s.ejected.Load() <= now && s.strikes.Load() > 0 {
			s.strikes.Add(-1)
		}
	}
	for _, i := range b.outliers.worst(tallies) {
		b.eject(b.list[i], now)
	}
}

// eject leaves a server alone for its bad answers, if there is room for that.
func (b *Balancer) eject(s *Server, now int64) bool {
	ejected := 0
	for _, o := range b.list {
		if o.ejected.Load() > now {
			ejected++
		}
	}
	if s.ejected.Load() > now || !b.outliers.Room(ejected, len(b.list)) {
		return false
	}
	d := b.outliers.Ejection(int(s.strikes.Add(1)))
	s.ejected.Store(now + int64(d))
	s.healed.Store(now + int64(d))
	s.badAnswers.Store(0)
	return true
}

// Choose picks a server for a call. Whoever calls it afterwards says so by Begin.
func (b *Balancer) Choose(r *Request) (*Server, error) {
	set := b.set.Load()
	if len(set.Servers) == 0 {
		return nil, fmt.Errorf("%w for %s", ErrNoServer, b.name)
	}
	r.of = b
	for range maxDraws {
		s := set.rule.Choose(set, r)
		if s == nil {
			break
		}
		if b.suits(set, s, r) {
			return s, nil
		}
	}
	return b.any(set, r), nil
}

// suits says whether a call may go to s: not one that failed there before, and to a
// server that was left alone only one at a time.
func (b *Balancer) suits(set *Set, s *Server, r *Request) bool {
	if len(r.Tried) > 0 && r.tried(s) {
		return false
	}
	if !set.trials || s.tripped.Load() == 0 || set.Panic {
		return true
	}
	now, since := r.Time(), s.trial.Load()
	return (since == 0 || now-since > int64(trialTime)) && s.trial.CompareAndSwap(since, now)
}

// any is a server that suits, beginning somewhere; if none does, one that does not.
func (b *Balancer) any(set *Set, r *Request) *Server {
	start := Draw(nil).below(len(set.Servers))
	for i := range set.Servers {
		if s := set.Servers[(start+i)%len(set.Servers)]; set.weights[(start+i)%len(set.Servers)] > 0 && b.suits(set, s, r) {
			return s
		}
	}
	for i := range set.Servers {
		if s := set.Servers[(start+i)%len(set.Servers)]; !r.tried(s) {
			return s
		}
	}
	return set.Servers[start]
}

// Close ends what the balancer does by itself.
func (b *Balancer) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if b.timer != nil {
		b.timer.Stop()
	}
}

// Watch has told called with each new set, from now on, until the balancer is
// closed. It must return soon, and not call the balancer.
func (b *Balancer) Watch(told func(*Set)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listeners = append(b.listeners, told)
}

// Stats reads what is known of every server on the list, by id.
func (b *Balancer) Stats() []Stats {
	now := b.now()
	set := b.set.Load()
	all := make([]Stats, 0, len(set.All))
	for _, s := range set.All {
		all = append(all, s.read(now))
	}
	slices.SortFunc(all, func(x, y Stats) int { return cmp.Compare(x.ID, y.ID) })
	return all
}

// SetRule has calls from now on go by another rule.
func (b *Balancer) SetRule(rule Rule) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.config.Rule = rule
	if !b.closed {
		b.rebuild(b.now())
	}
}

// SetAlive says what a ping has found.
func (b *Balancer) SetAlive(id string, alive bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.known[id]
	if r == nil || r.pingDown.Swap(!alive) == !alive || b.closed {
		return
	}
	now := b.now()
	if alive {
		r.healed.Store(now)
	}
	b.rebuild(now)
}

// maxFailures keeps counters of failures in a row from running over.
const maxFailures = math.MaxInt32
