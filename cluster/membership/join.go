package membership

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// life is one registration, from joining to fencing.
type life struct {
	self   view.Member
	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	ended  bool          // nothing begins for it any more; under Membership.mu
	fenced chan struct{} // closed when it is over
	reason error
	// dropped is closed when OnFenced has returned. Before that this process must
	// not join again: it would have a lease, and what it holds in memory is old.
	dropped chan struct{}
	reach   chan struct{} // signals that the table answers again
}

// joinUntil joins, trying again with growing pauses as long as again says so.
func (m *Membership) joinUntil(ctx context.Context, again func(error) bool) (*life, error) {
	pause, said := m.t.RejoinMin, ""
	for {
		l, err := m.join(ctx)
		if err == nil {
			return l, nil
		}
		if !again(err) || m.ctx.Err() != nil {
			return nil, fmt.Errorf("join the cloud: %w", err)
		}
		if said != err.Error() {
			said = err.Error()
			m.c.Log.Warn().Err(err).Msg("this node cannot join the cloud yet")
		}
		if !sleep(ctx, jitter(pause)) || !alive(m.ctx) {
			return nil, fmt.Errorf("could not join the cloud: %w", err)
		}
		pause = min(2*pause, m.t.RejoinMax)
	}
}

// join tries once: remove what an earlier start of this node has left behind,
// reach a majority of the members both ways, register, read the first view.
func (m *Membership) join(ctx context.Context) (*life, error) {
	ctx, cancel := context.WithTimeout(ctx, 4*m.t.RequestLimit)
	defer cancel()
	self := m.candidate()
	m.c.Peer.SetSelf(self)
	present, err := m.c.Table.Read(ctx)
	if err != nil {
		return nil, err
	}
	if err := m.makeRoom(ctx, self, present); err != nil {
		return nil, err
	}
	if err := m.reachMajority(ctx, self, present); err != nil {
		return nil, err
	}
	sent := time.Now()
	joined, err := m.c.Table.Join(ctx, self)
	var taken *NameTaken
	if errors.As(err, &taken) && taken.Holder.Address == self.Address {
		// Whoever that was listens no more, or it was this process a moment ago.
		return nil, fmt.Errorf("%s stands in the way: %w", taken.Holder.ID, messages.Unavailable)
	}
	if err != nil {
		return nil, err
	}
	first, err := m.c.Table.Read(ctx)
	if err == nil && !first.Has(joined.ID) {
		err = fmt.Errorf("the registration of %s went as soon as it was made: %w", joined.ID, messages.Unavailable)
	}
	if err != nil {
		m.background(func(ctx context.Context) { _ = m.c.Table.Leave(ctx, joined) })
		return nil, err
	}
	return m.begin(joined, first, sent), nil
}

// candidate is this node under an id that nobody has had.
func (m *Membership) candidate() view.Member {
	m.mu.Lock()
	defer m.mu.Unlock()
	self := m.Self()
	self.ID, self.Hosts, self.Leaving = newID(self.Name), m.hosts, m.leaving
	m.self.Store(&self)
	return self
}

// makeRoom looks at who has this node's name. At this node's own address that is
// a process that lives no more, for this one listens there. At another address
// it may be alive; then the name is taken.
func (m *Membership) makeRoom(ctx context.Context, self view.Member, present *view.View) error {
	holder, taken := present.ByName(self.Name)
	if !taken {
		return nil
	}
	if holder.Address == self.Address {
		m.c.Log.Info().Str("member", holder.ID).Msg("what an earlier start of this node left in the member table is removed")
		return m.c.Table.Evict(ctx, view.Member{Name: self.Name}, holder)
	}
	if _, err := m.ping(ctx, holder, m.t.SuspectAfter, &messages.Ping{From: self.ID}); err != nil {
		return fmt.Errorf("there is a member %s at %s already; it does not answer and will soon be evicted, "+
			"by others or by the end of its session: %w", holder.Name, holder.Address, messages.Unavailable)
	}
	return &NameTaken{holder}
}

// reachMajority pings everybody and has everybody ping back. A member that is
// reached by no majority would only evict others and be evicted in turn. Those
// whose machine says that nobody listens do not count: they are dead.
func (m *Membership) reachMajority(ctx context.Context, self view.Member, present *view.View) error {
	answers := make(chan error, len(present.Members))
	asked := 0
	for _, to := range present.Members {
		if to.Name == self.Name {
			continue
		}
		asked++
		go func() { answers <- m.bothWays(ctx, self, to) }()
	}
	reached, counted := 0, asked
	var last, version error
	for range asked {
		switch err := <-answers; {
		case err == nil:
			reached++
		case errors.Is(err, peer.ErrRefused):
			counted--
		case errors.Is(err, peer.ErrVersion):
			version = err
		default:
			last = err
		}
	}
	switch {
	case counted == 0 || 2*reached > counted:
		return nil
	case version != nil: // it would be so in a minute, too
		return fmt.Errorf("this node cannot be a member: %w: %w", version, messages.Conflict)
	}
	return fmt.Errorf("%d of %d members can be reached, and reach this node at %s, which is no majority: %w: %w",
		reached, counted, self.Address, last, messages.Unavailable)
}

func (m *Membership) bothWays(ctx context.Context, self, to view.Member) error {
	pong, err := m.ping(ctx, to, 2*m.t.SuspectAfter, &messages.Ping{From: self.ID, AskFor: self.ID, Member: toMessage(self)})
	if err == nil && !pong.GetAskedForLives() {
		err = fmt.Errorf("%s cannot reach this node at %s", to.Name, self.Address)
	}
	return err
}

// begin starts a life.
func (m *Membership) begin(self view.Member, first *view.View, sent time.Time) *life {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := &life{self: self, fenced: make(chan struct{}), dropped: make(chan struct{}), reach: make(chan struct{}, 1)}
	l.ctx, l.cancel = context.WithCancel(m.ctx)
	before := m.present.Load()
	m.self.Store(&self)
	m.c.Peer.SetSelf(self)
	m.life, m.written = l, wish{self.ID, self.Hosts, self.Leaving}
	clear(m.pings)
	m.c.Log.Info().Str("member", self.ID).Uint64("view", first.Index).Int("members", len(first.Members)).Msg("joined the cloud")
	var do []view.Effect
	m.state, do = view.NewSelf(time.Now(), sent, self.ID, first, m.t.Timings)
	if on := m.c.OnJoined; on != nil && before != nil {
		m.events.add(func() { on(self) })
	}
	m.took(first, first)
	m.lease(time.Now())
	m.perform(do)
	close(m.changed)
	m.changed = make(chan struct{})
	return l
}

// live goes through this life and, when it is fenced, the next ones.
func (m *Membership) live(l *life) {
	for {
		m.run(l)
		if m.ctx.Err() != nil {
			return
		}
		past := l.self
		m.background(func(ctx context.Context) { _ = m.c.Table.Leave(ctx, past) })
		select {
		case <-l.dropped:
		case <-m.ctx.Done():
			return
		}
		var err error
		if l, err = m.joinUntil(m.ctx, func(error) bool { return true }); err != nil {
			return
		}
	}
}

// background does something to the table that nobody waits for.
func (m *Membership) background(do func(context.Context)) {
	m.tasks.Go(func() {
		ctx, cancel := context.WithTimeout(m.ctx, m.t.RequestLimit)
		defer cancel()
		do(ctx)
	})
}
