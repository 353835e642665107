package membership

import (
	"context"
	"time"

	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// HandlePing answers a ping. One that asks for another member takes as long as
// that one's pong does, Timings.Indirect at most.
func (m *Membership) HandlePing(from peer.Identity, p *messages.Ping) *messages.Pong {
	lives := p.GetAskFor() != "" && m.lives(from, p)
	pong := m.pong(from, p)
	pong.AskedFor, pong.AskedForLives = p.GetAskFor(), lives
	return pong
}

func (m *Membership) pong(from peer.Identity, p *messages.Ping) *messages.Pong {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state == nil || from.Member != "" && from.Member != p.GetFrom() {
		// Not a member yet, or no more; or a ping in somebody else's name, from which
		// nothing is to be learned.
		return &messages.Pong{From: m.Self().ID, ConfirmedAgeMs: -1, Fenced: m.state == nil}
	}
	var pong *messages.Pong
	m.apply(m.life, func(s *view.Self, now time.Time) (do []view.Effect) {
		pong, do = s.Pinged(now, p)
		return do
	})
	return pong
}

// lives pings the member that somebody asks for: one that is known here, or the
// asker itself, who wants to know whether it can be reached before it joins.
func (m *Membership) lives(from peer.Identity, p *messages.Ping) bool {
	var about view.Member
	var known bool
	if v := m.View(); v != nil {
		about, known = v.ByID(p.GetAskFor())
	}
	if !known {
		candidate := fromMessage(p.GetMember())
		if candidate.ID != p.GetAskFor() || candidate.ID != p.GetFrom() || candidate.Valid() != nil ||
			from.Name != "" && from.Name != candidate.Name {
			return false
		}
		about = candidate
	}
	pong, err := m.ping(m.ctx, about, m.t.Indirect*3/4, m.greeting())
	return err == nil && pong.GetFrom() == about.ID && !(known && pong.GetFenced())
}

// greeting is a ping that says nothing but who asks.
func (m *Membership) greeting() *messages.Ping {
	return &messages.Ping{From: m.Self().ID, ConfirmedAgeMs: -1}
}

// keepRecord writes hosts and leaving to the table whenever they differ from what
// stands there. Changes that come together are one write.
func (m *Membership) keepRecord() {
	pause := m.t.RejoinMin
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-m.rewrite:
		}
		if !m.draining.Load() && !sleep(m.ctx, m.t.GatherHosts) {
			return
		}
		if err := m.writeRecord(); err != nil {
			m.c.Log.Debug().Err(err).Msg("the own record could not be written yet")
			sleep(m.ctx, jitter(pause))
			pause = min(2*pause, m.t.RejoinMax)
			signal(m.rewrite)
			continue
		}
		pause = m.t.RejoinMin
	}
}

// writeRecord writes the record if need be; not being a member is no error, as
// joining writes it too.
func (m *Membership) writeRecord() error {
	m.mu.Lock()
	l, self := m.life, m.Self()
	want := wish{self.ID, m.hosts, m.leaving}
	written := m.state == nil || m.written.same(want)
	m.mu.Unlock()
	if written {
		return nil
	}
	self.Hosts, self.Leaving = want.hosts, want.leaving
	ctx, cancel := context.WithTimeout(l.ctx, m.t.RequestLimit)
	defer cancel()
	if err := m.c.Table.Update(ctx, self); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.life == l {
		m.written = want
	}
	close(m.changed)
	m.changed = make(chan struct{})
	return nil
}
