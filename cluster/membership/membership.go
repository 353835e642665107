package membership

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// Peer is what is needed of the transport; *peer.Server is one.
type Peer interface {
	Ping(ctx context.Context, to view.Member, p *messages.Ping) (*messages.Pong, error)
	SetSelf(view.Member)
	Retain([]view.Member)
}

// Config is what a Membership needs.
type Config struct {
	Table Table
	Peer  Peer

	// Self is this node. ID and Epoch are given by the Membership.
	Self view.Member

	// The functions below are called one after the other, in the order in which
	// things happened, and should return soon. Each may be nil.
	OnView   func(*view.View)       // a newer view; after OnJoined its index may be lower
	OnFenced func(reason error)     // this process is no member any more; it joins again when this has returned
	OnJoined func(self view.Member) // it is one again, under a new id

	Timings Timings // zero: defaults
	Log     zerolog.Logger
}

// Timings are the delays by which members judge each other, and those of the
// requests by which they do.
type Timings struct {
	view.Timings
	RenewEvery   time.Duration // between two renewals of the session
	RetryTable   time.Duration // at most, before the table is watched again after an error
	RejoinMin    time.Duration // before the first try to join again
	RejoinMax    time.Duration // before a later one
	GatherHosts  time.Duration // for which changes of the hosts are gathered into one write
	RequestLimit time.Duration // of one request to the table
}

// DefaultTimings are those of a real cloud.
func DefaultTimings() Timings {
	return Timings{
		Timings: view.DefaultTimings(), RenewEvery: 3 * time.Second, RetryTable: 800 * time.Millisecond,
		RejoinMin: 100 * time.Millisecond, RejoinMax: 2 * time.Second,
		GatherHosts: 50 * time.Millisecond, RequestLimit: requestTimeout,
	}
}

const (
	requestTimeout = 1500 * time.Millisecond
	maxPings       = 8 // at once to one member
)

// Membership is one process' place among the members. Make one with New, give its
// HandlePing to the transport, then Start it. Safe for concurrent use.
type Membership struct {
	c    Config
	t    Timings
	base time.Time

	self     atomic.Pointer[view.Member]
	present  atomic.Pointer[view.View]
	leased   atomic.Int64 // nanoseconds from base until which reads may be served
	stable   atomic.Pointer[stability]
	ctx      context.Context
	cancel   context.CancelFunc
	tasks    sync.WaitGroup
	events   queue
	rewrite  chan struct{} // hosts or leaving have changed
	started  atomic.Bool
	draining atomic.Bool

	mu      sync.Mutex
	state   *view.Self // nil while this process is no member
	life    *life      // what runs for state
	hosts   []string
	leaving bool
	written wish // what stands in the table
	pings   map[string]int
	changed chan struct{} // closed at each change of state, for those who wait
}

// stability is the newest stable view, and the way to learn of a newer one.
type stability struct {
	index   uint64
	changed chan struct{}
}

// wish is what a record should say.
type wish struct {
	id      string
	hosts   []string
	leaving bool
}

func (w wish) same(o wish) bool {
	return w.id == o.id && w.leaving == o.leaving && slices.Equal(w.hosts, o.hosts)
}

// New prepares a membership; nothing is asked or said yet. Errors wrap Invalid.
func New(c Config) (*Membership, error) {
	if c.Timings == (Timings{}) {
		c.Timings = DefaultTimings()
	}
	c.Self.ID = newID(c.Self.Name)
	c.Self.Hosts = slices.Sorted(slices.Values(c.Self.Hosts))
	if c.Self.Started.IsZero() {
		c.Self.Started = time.Now()
	}
	if err := c.Self.Valid(); err != nil {
		return nil, err
	}
	m := &Membership{
		c: c, t: c.Timings, base: time.Now(), hosts: c.Self.Hosts,
		rewrite: make(chan struct{}, 1), pings: map[string]int{}, changed: make(chan struct{}),
	}
	m.c.Log = c.Log.With().Str("node", c.Self.Name).Logger()
	m.ctx, m.cancel = context.WithCancel(context.Background())
	m.events.init()
	m.self.Store(&c.Self)
	m.stable.Store(&stability{changed: make(chan struct{})})
	return m, nil
}

// newID is unique for ever, and says to whoever reads a log whose it is.
func newID(name string) string { return name + "." + strings.ToLower(rand.Text()[:12]) }

// Start joins. It tries until ctx ends, unless it is certain that it will not
// succeed: another member has the name (Conflict), the token may not (Denied),
// something is wrong with the configuration (Invalid, Exhausted), Consul does not
// understand what it is asked (Internal). The error says
// what was in the way last.
func Start(ctx context.Context, c Config) (*Membership, error) {
	m, err := New(c)
	if err != nil {
		return nil, err
	}
	return m, m.Start(ctx)
}

// Start is like the function, for a Membership that the transport knows already.
func (m *Membership) Start(ctx context.Context) error {
	if m.started.Swap(true) {
		return fmt.Errorf("this membership was started before: %w", messages.Invalid)
	}
	l, err := m.joinUntil(ctx, func(err error) bool { return !lasting(err) && !errors.Is(err, messages.Internal) })
	if err != nil {
		m.Close()
		return err
	}
	m.tasks.Go(func() { m.events.run(m.ctx) })
	m.tasks.Go(m.keepRecord)
	m.tasks.Go(func() { m.live(l) })
	return nil
}

// lasting reports whether an error of joining will not pass by itself.
func lasting(err error) bool {
	for _, kind := range []error{messages.Conflict, messages.Denied, messages.Invalid, messages.Exhausted} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// Close ends everything at once and leaves the registration to others, as a crash
// does. After Leave it does nothing.
func (m *Membership) Close() {
	m.cancel()
	m.tasks.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state = nil
	m.leased.Store(0)
}

// Self is this member. Its ID changes when it has to join again.
func (m *Membership) Self() view.Member { return *m.self.Load() }

// View is the newest view; nil before Start has returned.
func (m *Membership) View() *view.View { return m.present.Load() }

// Leased reports whether reads from memory may be answered now: nobody can have
// taken over what this member owns.
func (m *Membership) Leased(now time.Time) bool {
	return int64(now.Sub(m.base)) < m.leased.Load()
}

// Stable is the index of the newest view that every member has come to, and that
// whoever was evicted before has been gone for long enough; 0 before the first.
// changed is closed when there is another one.
func (m *Membership) Stable() (index uint64, changed <-chan struct{}) {
	s := m.stable.Load()
	return s.index, s.changed
}

// Fence is what every commit depends on; empty while this process is no member.
func (m *Membership) Fence() (key, session string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state == nil {
		return "", ""
	}
	return m.c.Table.Fence(m.Self())
}

// TableReachable reports whether the table answered the last question.
func (m *Membership) TableReachable() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state != nil && !m.state.TableFailing()
}

// Released says that nothing is here that this member does not own under the view
// of that index, and that nothing such will be activated.
func (m *Membership) Released(index uint64) {
	m.with(func(s *view.Self, now time.Time) []view.Effect { return s.Released(now, index) })
}

// with changes the state, if there is one, and does what follows from it.
func (m *Membership) with(change func(*view.Self, time.Time) []view.Effect) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.apply(m.life, change)
}

// apply is with for callers that hold mu, and speak for one life.
func (m *Membership) apply(l *life, change func(*view.Self, time.Time) []view.Effect) {
	if m.state == nil || m.life != l {
		return
	}
	now := time.Now()
	before := m.state.View()
	do := change(m.state, now)
	if v := m.state.View(); v != before {
		m.took(before, v)
	}
	m.lease(now)
	m.perform(do)
	close(m.changed)
	m.changed = make(chan struct{})
}

// lease publishes until when reads may be served.
func (m *Membership) lease(now time.Time) {
	if m.state == nil || !m.state.Leased(now) {
		m.leased.Store(0)
		return
	}
	m.leased.Store(int64(m.state.LeasedUntil(now).Sub(m.base)))
}

// took publishes a view.
func (m *Membership) took(before, v *view.View) {
	m.present.Store(v)
	if self, ok := v.ByID(m.Self().ID); ok {
		m.self.Store(&self)
	}
	m.c.Peer.Retain(v.Members)
	for _, gone := range view.Diff(before, v).Gone {
		m.c.Log.Info().Str("member", gone.ID).Bool("leaving", gone.Leaving).Uint64("view", v.Index).Msg("a member has gone")
	}
	for _, joined := range view.Diff(before, v).Joined {
		m.c.Log.Info().Str("member", joined.ID).Str("address", joined.Address).Uint64("view", v.Index).Msg("a member has joined")
	}
	if on := m.c.OnView; on != nil {
		m.events.add(func() { on(v) })
	}
}
