package membership

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// SetHosts says which hypervisors this node drives, and returns once that stands
// in the table. If ctx ends before, it will stand there later nevertheless. Too
// many for a record are Exhausted.
func (m *Membership) SetHosts(ctx context.Context, hosts []string) error {
	hosts = slices.Sorted(slices.Values(hosts))
	self := m.Self()
	self.Hosts = hosts
	if _, err := encodeRecord(self); err != nil {
		return err
	}
	m.mu.Lock()
	m.hosts = hosts
	m.mu.Unlock()
	signal(m.rewrite)
	return m.await(ctx, "the hosts stand in the member table", func() bool {
		return m.state != nil && slices.Equal(m.written.hosts, m.hosts)
	})
}

// await waits until something holds; it is looked at under mu at every change.
func (m *Membership) await(ctx context.Context, what string, holds func() bool) error {
	for {
		m.mu.Lock()
		ok, changed := holds(), m.changed
		m.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("it took too long until %s: %w: %w", what, ctx.Err(), messages.Unavailable)
		case <-m.ctx.Done():
			return fmt.Errorf("the membership ended before %s: %w", what, messages.Unavailable)
		}
	}
}

// Drain marks this member as leaving: it owns nothing any more. It returns once
// everything has been handed over: under a view in which this member is leaving,
// every member has come to hold what is its own.
func (m *Membership) Drain(ctx context.Context) error {
	m.mu.Lock()
	m.leaving = true
	m.mu.Unlock()
	m.draining.Store(true)
	signal(m.rewrite)
	return m.await(ctx, "everything was handed over", func() bool {
		if m.state == nil {
			return false
		}
		v := m.state.View()
		self, _ := v.ByID(m.Self().ID)
		return self.Leaving && m.state.Stable() == v.Index
	})
}

// Leave drains, deregisters and ends. If draining fails or ctx ends, it goes all
// the same, and says so: the others then wait as if it had died.
func (m *Membership) Leave(ctx context.Context) error {
	if m.ctx.Err() != nil {
		return nil
	}
	drained := m.Drain(ctx)
	if drained == nil {
		m.farewell(ctx)
	}
	m.mu.Lock()
	self, member := m.Self(), m.state != nil
	m.mu.Unlock()
	m.Close()
	if !member {
		return drained
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.t.RequestLimit)
	defer cancel()
	return errors.Join(drained, m.deregister(last, self))
}

// farewell has every member hear that this one holds nothing any more, and waits
// for their answers: who had not heard it would, once this one is gone, wait for a
// lease to end that nobody has.
func (m *Membership) farewell(ctx context.Context) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state == nil {
		return
	}
	var heard sync.WaitGroup
	for _, other := range m.state.View().Members {
		if other.ID == m.Self().ID {
			continue
		}
		p := m.state.Ping(time.Now())
		heard.Go(func() { _, _ = m.ping(ctx, other, m.t.SuspectAfter, p) }) // who does not answer just waits
	}
	m.mu.Unlock()
	heard.Wait()
	m.mu.Lock()
}

func (m *Membership) deregister(ctx context.Context, self view.Member) error {
	if err := m.c.Table.Leave(ctx, self); err != nil {
		return fmt.Errorf("deregister: %w", err)
	}
	m.c.Log.Info().Str("member", self.ID).Msg("left the cloud")
	return nil
}
