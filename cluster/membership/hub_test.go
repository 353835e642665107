package membership_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/cluster/membership"
	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// hub is a network of members in one process.
type hub struct {
	mu    sync.Mutex
	at    map[string]*membership.Membership // by address
	cut   map[[2]string]bool                // from and to address
	newer map[string]bool                   // addresses of those who speak with no node of before
	pings int
}

func newHub() *hub {
	return &hub{at: map[string]*membership.Membership{}, cut: map[[2]string]bool{}}
}

func (h *hub) put(address string, m *membership.Membership) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at[address] = m; m == nil {
		delete(h.at, address)
	}
}

// isolate cuts a member off from all others, or lets it back.
func (h *hub) isolate(address string, cut bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for other := range h.at {
		h.cut[[2]string{address, other}], h.cut[[2]string{other, address}] = cut, cut
	}
}

func (h *hub) pinged() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pings
}

// line is one member's end of the hub.
type line struct {
	hub  *hub
	mu   sync.Mutex
	self view.Member
}

func (l *line) SetSelf(m view.Member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.self = m
}

func (l *line) Retain([]view.Member) {}

func (l *line) Ping(ctx context.Context, to view.Member, p *messages.Ping) (*messages.Pong, error) {
	l.mu.Lock()
	self := l.self
	l.mu.Unlock()
	h := l.hub
	h.mu.Lock()
	h.pings++
	other, cut := h.at[to.Address], h.cut[[2]string{self.Address, to.Address}]
	newer := h.newer[to.Address]
	back := h.cut[[2]string{to.Address, self.Address}]
	h.mu.Unlock()
	if cut {
		<-ctx.Done()
		return nil, peer.ErrTimeout
	}
	if newer {
		return nil, peer.ErrVersion
	}
	if other == nil {
		return nil, fmt.Errorf("%s: %w", to.Address, peer.ErrRefused)
	}
	if other.Self().ID != to.ID {
		return nil, peer.ErrNotMe
	}
	got := make(chan *messages.Pong, 1)
	from := peer.Identity{Role: peer.RoleNode, Name: self.Name, Member: self.ID}
	go func() { got <- other.HandlePing(from, proto.Clone(p).(*messages.Ping)) }()
	select {
	case pong := <-got:
		if !back {
			return pong, nil
		}
		<-ctx.Done()
		return nil, peer.ErrTimeout
	case <-ctx.Done():
		return nil, peer.ErrTimeout
	}
}

// node is a member with a shell that lets go at once.
type node struct {
	t     testing.TB
	name  string
	hub   *hub
	table membership.Table
	m     *membership.Membership
	times membership.Timings // zero: defaults

	mu     sync.Mutex
	views  []uint64
	fenced []error
	joined []string
}

func (h *hub) node(t testing.TB, table membership.Table, name string) *node {
	return &node{t: t, name: name, hub: h, table: table}
}

func (n *node) config() membership.Config {
	return membership.Config{
		Table: n.table, Peer: &line{hub: n.hub}, Log: zerolog.Nop(), Timings: n.times,
		Self: view.Member{Name: n.name, Address: n.name + ":1", Roles: view.AllRoles},
		OnView: func(v *view.View) {
			n.mu.Lock()
			n.views = append(n.views, v.Index)
			n.mu.Unlock()
			n.m.Released(v.Index)
		},
		OnFenced: func(err error) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.fenced = append(n.fenced, err)
		},
		OnJoined: func(m view.Member) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.joined = append(n.joined, m.ID)
		},
	}
}

func (n *node) start(ctx context.Context) error {
	n.t.Helper()
	m, err := membership.New(n.config())
	if err != nil {
		return err
	}
	n.m = m
	n.hub.put(n.name+":1", m)
	if err := m.Start(ctx); err != nil {
		n.hub.put(n.name+":1", nil)
		return err
	}
	return nil
}

// kill ends the process: its address refuses.
func (n *node) kill() {
	n.hub.put(n.name+":1", nil)
	n.m.Close()
}

func (n *node) fences() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.fenced)
}

// eventually waits for something that will be; how long is a matter for benchmarks.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for limit := time.Now().Add(2 * time.Minute); !holds(); {
		if time.Now().After(limit) {
			t.Fatalf("it never came about that %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// together reports whether these nodes, and nobody else, are members, agree, and
// may read.
func together(nodes ...*node) bool {
	for _, n := range nodes {
		v := n.m.View()
		stable, _ := n.m.Stable()
		if v == nil || len(v.Members) != len(nodes) || v.Index != nodes[0].m.View().Index ||
			stable != v.Index || !n.m.Leased(time.Now()) || !v.Has(n.m.Self().ID) {
			return false
		}
	}
	return true
}
