package membership

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// run is one life: its ticker, its questions to the table and its watch. It
// returns when it is fenced or the Membership ends, and all of it has ended.
func (m *Membership) run(l *life) {
	l.tasks.Go(func() { m.watch(l) })
	m.tick(l)
	m.mu.Lock()
	l.ended = true // nothing new begins
	m.mu.Unlock()
	l.cancel()
	l.tasks.Wait()
}

func (m *Membership) tick(l *life) {
	ticker := time.NewTicker(m.t.Tick)
	defer ticker.Stop()
	var confirmed, renewed time.Time
	renewed = time.Now()
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-l.fenced:
			return
		case <-ticker.C:
		}
		now := time.Now()
		if now.Sub(confirmed) >= m.t.ConfirmEvery {
			confirmed = now
			l.tasks.Go(func() { m.confirm(l) })
		}
		if now.Sub(renewed) >= m.t.RenewEvery {
			renewed = now
			l.tasks.Go(func() { m.renew(l) })
		}
		m.in(l, func(s *view.Self, now time.Time) []view.Effect { return s.Tick(now) })
	}
}

// in changes the state if it is still that of this life.
func (m *Membership) in(l *life, change func(*view.Self, time.Time) []view.Effect) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.apply(l, change)
}

// confirm asks the table whether this is still a member.
func (m *Membership) confirm(l *life) {
	ctx, cancel := context.WithTimeout(l.ctx, m.t.Lease)
	defer cancel()
	sent := time.Now()
	member, err := m.c.Table.Confirm(ctx, l.self)
	if l.ctx.Err() != nil {
		return
	}
	m.in(l, func(s *view.Self, now time.Time) []view.Effect {
		failing := s.TableFailing()
		if err != nil {
			s.ConfirmFailed()
			if !failing {
				m.c.Log.Warn().Err(err).Msg("the member table does not answer")
			}
			return nil
		}
		if failing {
			m.c.Log.Info().Msg("the member table answers again")
			signal(l.reach)
		}
		return s.Confirmed(now, sent, member)
	})
}

// renew keeps the session; without it the registration is gone soon.
func (m *Membership) renew(l *life) {
	ctx, cancel := context.WithTimeout(l.ctx, m.t.RequestLimit)
	defer cancel()
	if err := m.c.Table.Renew(ctx, l.self); errors.Is(err, ErrGone) {
		m.confirm(l)
	}
}

// watch follows the table. One query waits there for what is new.
func (m *Membership) watch(l *life) {
	after := uint64(0)
	for l.ctx.Err() == nil {
		v, err := m.watchOnce(l, after)
		switch {
		case l.ctx.Err() != nil:
			return
		case err != nil:
			select {
			case <-l.reach: // no need to wait any more
			case <-time.After(jitter(m.t.RetryTable)):
			case <-l.ctx.Done():
			}
		case v.Index < after:
			// The index went back. Either a Consul of that index is another one than
			// before, or it has forgotten how old its newest deletion is; a consistent
			// look tells.
			after = 0
			m.read(l)
		default:
			after = v.Index
			m.in(l, func(s *view.Self, now time.Time) []view.Effect { return s.Seen(now, v) })
		}
	}
}

// watchOnce is one query. It is given up when the table answers again after a
// silence: a query from before may hang on a connection that is dead.
func (m *Membership) watchOnce(l *life, after uint64) (*view.View, error) {
	ctx, cancel := context.WithCancel(l.ctx)
	defer cancel()
	type result struct {
		v   *view.View
		err error
	}
	got := make(chan result, 1)
	go func() {
		v, err := m.c.Table.Watch(ctx, after)
		got <- result{v, err}
	}()
	select {
	case r := <-got:
		return r.v, r.err
	case <-l.reach:
		cancel()
		r := <-got
		if r.err != nil {
			signal(l.reach) // ask again at once
		}
		return r.v, r.err
	}
}

// read is a consistent look at the table.
func (m *Membership) read(l *life) {
	ctx, cancel := context.WithTimeout(l.ctx, m.t.RequestLimit)
	defer cancel()
	began := time.Now()
	v, err := m.c.Table.Read(ctx)
	if err != nil {
		return
	}
	m.in(l, func(s *view.Self, now time.Time) []view.Effect { return s.Read(now, began, v) })
}

// perform does what follows from a change of state. Called under mu.
func (m *Membership) perform(do []view.Effect) {
	l := m.life
	if l.ended {
		return
	}
	for _, effect := range do {
		switch e := effect.(type) {
		case view.PingMember:
			if m.pings[e.To.ID] < maxPings {
				m.pings[e.To.ID]++
				p := m.state.Ping(time.Now())
				l.tasks.Go(func() { m.pingMember(l, e.To, p) })
			}
		case view.AskAbout:
			p := m.state.Ping(time.Now())
			l.tasks.Go(func() { m.askAbout(l, e, p) })
		case view.EvictMember:
			l.tasks.Go(func() { m.evict(l, e) })
		case view.ReadTable:
			l.tasks.Go(func() { m.read(l) })
		case view.StableAt:
			old := m.stable.Swap(&stability{index: e.Index, changed: make(chan struct{})})
			close(old.changed)
		case view.Fence:
			m.fence(l, e.Reason)
		}
	}
}

// fence ends this life. Called under mu.
func (m *Membership) fence(l *life, reason string) {
	m.c.Log.Warn().Str("member", l.self.ID).Str("reason", reason).Msg("no member any more")
	l.reason = &Fenced{Reason: reason}
	m.state = nil
	m.leased.Store(0)
	old := m.stable.Swap(&stability{changed: make(chan struct{})})
	close(old.changed)
	m.events.add(func() {
		if m.c.OnFenced != nil {
			m.c.OnFenced(l.reason)
		}
		close(l.dropped)
	})
	close(l.fenced)
}

// Fenced is why a process is no member any more.
type Fenced struct{ Reason string }

func (f *Fenced) Error() string { return "this node is no member any more: " + f.Reason }

// Unwrap makes it messages.Unavailable: what was asked may be asked again.
func (f *Fenced) Unwrap() error { return messages.Unavailable }

func (m *Membership) pingMember(l *life, to view.Member, p *messages.Ping) {
	sent := time.Now()
	pong, err := m.ping(l.ctx, to, m.t.SuspectAfter, p)
	m.in(l, func(s *view.Self, now time.Time) []view.Effect {
		m.pings[to.ID]--
		if err != nil {
			s.Missed(to.ID, errors.Is(err, peer.ErrRefused))
			return nil
		}
		return s.Ponged(now, to.ID, sent, pong)
	})
}

func (m *Membership) ping(ctx context.Context, to view.Member, limit time.Duration, p *messages.Ping) (*messages.Pong, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return m.c.Peer.Ping(ctx, to, p)
}

func (m *Membership) askAbout(l *life, ask view.AskAbout, p *messages.Ping) {
	m.c.Log.Debug().Str("suspect", ask.About.ID).Str("helper", ask.Helper.ID).Msg("a member does not answer, others are asked")
	p.AskFor, p.Member = ask.About.ID, toMessage(ask.About)
	pong, err := m.ping(l.ctx, ask.Helper, m.t.Indirect, p)
	m.in(l, func(s *view.Self, now time.Time) []view.Effect {
		s.Asked(now, ask.About.ID, err == nil && pong.GetAskedForLives())
		return nil
	})
}

func (m *Membership) evict(l *life, e view.EvictMember) {
	m.c.Log.Warn().Str("member", e.Member.ID).Str("reason", e.Why).Msg("a member is evicted")
	ctx, cancel := context.WithTimeout(l.ctx, m.t.RequestLimit)
	defer cancel()
	err := m.c.Table.Evict(ctx, l.self, e.Member)
	if err != nil && l.ctx.Err() == nil {
		m.c.Log.Warn().Err(err).Str("member", e.Member.ID).Msg("it could not be evicted")
	}
	m.in(l, func(s *view.Self, _ time.Time) []view.Effect {
		s.Evicted(e.Member.ID, errors.Is(err, messages.Conflict) || errors.Is(err, ErrUntouched))
		return nil
	})
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func alive(ctx context.Context) bool { return ctx.Err() == nil }

// jitter is about d, so that what happens to all members at once does not make
// them all ask at once.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// sleep reports false if ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
