package clustertest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// Net is the network as one node has it. All fields are under world.mu.
type Net struct {
	world *World
	name  string
	roles view.Role
	self  view.Member
	shell cluster.Shell

	protocol uint32 // that it says it speaks

	view    *view.View // that it has seen
	changed chan struct{}
	fenced  bool

	dead    bool
	paused  bool
	blind   bool      // does not reach the table
	lapses  time.Time // when the lease ends; zero: it is renewed
	inbox   []func()  // what comes while it is paused
	events  []func()  // for the shell, in order
	telling bool
}

var _ cluster.Network = (*Net)(nil)

// Speak has a node that has not attached yet be one of an earlier version, as far as
// the others know.
func (n *Net) Speak(protocol uint32) {
	n.world.mu.Lock()
	defer n.world.mu.Unlock()
	n.protocol, n.self.Protocol = protocol, protocol
}

// Attach is cluster.Network's: from now on the node is a member.
func (n *Net) Attach(s cluster.Shell) {
	w := n.world
	w.mu.Lock()
	defer w.mu.Unlock()
	n.shell = s
	n.register()
}

// register makes n a member, which has seen that it is. Called under w.mu.
func (n *Net) register() {
	w, shell := n.world, n.shell
	w.change(func(all []view.Member) []view.Member { return append(all, w.registered(n)) })
	v := w.latest
	n.view = v
	n.tell(func() { shell.OnView(v) })
}

// registered is n's record under the coming index. Called under w.mu.
func (w *World) registered(n *Net) view.Member {
	n.self.Epoch = w.index
	return n.self
}

// Self is cluster.Network's.
func (n *Net) Self() view.Member {
	n.world.mu.Lock()
	defer n.world.mu.Unlock()
	return n.self
}

// View is cluster.Network's.
func (n *Net) View() *view.View {
	n.world.mu.Lock()
	defer n.world.mu.Unlock()
	return n.view
}

// Leased is cluster.Network's.
func (n *Net) Leased(now time.Time) bool {
	n.world.mu.Lock()
	defer n.world.mu.Unlock()
	return !n.fenced && !n.dead && (n.lapses.IsZero() || now.Before(n.lapses))
}

// Stable is cluster.Network's.
func (n *Net) Stable() (uint64, <-chan struct{}) {
	n.world.mu.Lock()
	defer n.world.mu.Unlock()
	if n.dead || n.paused || n.blind {
		return 0, n.changed
	}
	return n.world.stable, n.changed
}

// Released is cluster.Network's.
func (n *Net) Released(index uint64) {
	w := n.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if n.dead || n.fenced {
		return
	}
	w.released[n.self.ID] = index
	w.judge()
}

// SetHosts is cluster.Network's.
func (n *Net) SetHosts(_ context.Context, hosts []string) error {
	w := n.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if n.blind || n.paused || n.dead {
		return fmt.Errorf("the table cannot be reached: %w", messages.Unavailable)
	}
	n.self.Hosts = slices.Clone(hosts)
	n.edit(func(m *view.Member) { m.Hosts = n.self.Hosts })
	return nil
}

// edit changes n's own record, if there is one. Called under w.mu.
func (n *Net) edit(how func(*view.Member)) {
	if !n.world.latest.Has(n.self.ID) {
		return
	}
	n.world.change(func(all []view.Member) []view.Member {
		for i := range all {
			if all[i].ID == n.self.ID {
				how(&all[i])
			}
		}
		return all
	})
}

// Drain is cluster.Network's.
func (n *Net) Drain(ctx context.Context) error {
	w := n.world
	w.mu.Lock()
	n.edit(func(m *view.Member) { m.Leaving = true })
	for w.stable < w.latest.Index && !n.dead && !n.fenced {
		changed := n.changed
		w.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("not all was handed over: %w: %w", ctx.Err(), messages.Unavailable)
		}
		w.mu.Lock()
	}
	w.mu.Unlock()
	return nil
}

// Leave is cluster.Network's.
func (n *Net) Leave(ctx context.Context) error {
	err := n.Drain(ctx)
	w := n.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil && !n.dead {
		w.remove(n.self.ID)
	}
	return err
}

// remove takes a member out of the table. Called under w.mu.
func (w *World) remove(id string) {
	if !w.latest.Has(id) {
		return
	}
	w.change(func(all []view.Member) []view.Member {
		return slices.DeleteFunc(all, func(m view.Member) bool { return m.ID == id })
	})
}

// look has n see the present table.
func (n *Net) look() {
	w := n.world
	w.mu.Lock()
	defer w.mu.Unlock()
	v := w.latest
	if n.dead || n.paused || n.blind || n.view != nil && n.view.Index >= v.Index {
		return
	}
	if !v.Has(n.self.ID) {
		if !n.fenced && n.view != nil && n.view.Has(n.self.ID) && !leaving(n.view, n.self.ID) {
			n.fence()
		}
		return
	}
	n.view = v
	shell := n.shell
	n.tell(func() { shell.OnView(v) })
	lost := w.lose(func(x *exchange) bool { return x.from == n.name && !v.Has(x.to) })
	n.tell(func() { fail(lost) })
	close(n.changed)
	n.changed = make(chan struct{})
}

func leaving(v *view.View, id string) bool {
	m, _ := v.ByID(id)
	return m.Leaving
}

// fence tells n that it is no member, and has it join again. Called under w.mu.
func (n *Net) fence() {
	n.fenced = true
	shell := n.shell
	n.tell(func() { shell.OnFenced(fmt.Errorf("the registration is gone: %w", messages.Unavailable)) })
	n.world.later(n.world.config.Timings.Rejoin, n.rejoin)
}

func (n *Net) rejoin() {
	w := n.world
	w.mu.Lock()
	defer w.mu.Unlock()
	if n.dead || !n.fenced || w.closed {
		return
	}
	if n.paused || n.blind || w.isolated(n.name) {
		w.later(w.config.Timings.Rejoin, n.rejoin)
		return
	}
	n.self, n.fenced, n.lapses = w.newMember(n), false, time.Time{}
	shell, self := n.shell, n.self
	n.tell(func() { shell.OnJoined(self) })
	n.register()
}

// tell runs what the shell is told, one after the other. Called under w.mu.
func (n *Net) tell(what func()) {
	if n.events = append(n.events, what); n.telling || n.world.closed {
		return
	}
	n.telling = true
	n.world.tasks.Go(func() {
		for {
			n.world.mu.Lock()
			if len(n.events) == 0 {
				n.telling = false
				n.world.mu.Unlock()
				return
			}
			next := n.events[0]
			n.events = n.events[1:]
			n.world.mu.Unlock()
			next()
		}
	})
}
