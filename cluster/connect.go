package cluster

import (
	"context"
	"sync/atomic"

	"github.com/troupe-cloud/troupe/cluster/membership"
	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// Connection is the real Network: membership over peer.
type Connection struct {
	*membership.Membership
	server *peer.Server
	member atomic.Pointer[membership.Membership] // the same; nil while it is being made
	shell  atomic.Pointer[Shell]
}

var (
	_ Network      = (*Connection)(nil)
	_ Shell        = (*Node)(nil)
	_ peer.Handler = (*Connection)(nil)
	_ peer.Leaver  = (*Connection)(nil)
)

// Connect opens the port of the peers and becomes a member, before ctx ends. Who
// this is stands in m.Self; an empty address there is the one that is listened
// on. The handlers, callbacks and the transport of both Configs are filled in.
// Until a Node is started with it, what comes in is told to come again.
func Connect(ctx context.Context, p peer.Config, m membership.Config) (*Connection, error) {
	c := &Connection{}
	p.Self, p.Handler = m.Self, c
	p.Oldest = func() uint32 {
		if s := c.shell.Load(); s != nil {
			return (*s).OldestPeer()
		}
		return 0
	}
	p.Self.ID = m.Self.Name + ".joining" // the membership gives another at once
	server, err := peer.Listen(ctx, p)
	if err != nil {
		return nil, err
	}
	c.server = server
	if m.Self.Address == "" {
		m.Self.Address = server.Self().Address
	}
	m.Self.Protocol, m.Self.MinProtocol = server.Self().Protocol, server.Self().MinProtocol
	m.Peer = server
	m.OnView = func(v *view.View) { c.tell(func(s Shell) { s.OnView(v) }) }
	m.OnFenced = func(why error) { c.tell(func(s Shell) { s.OnFenced(why) }) }
	m.OnJoined = func(self view.Member) { c.tell(func(s Shell) { s.OnJoined(self) }) }
	if c.Membership, err = membership.New(m); err == nil {
		c.member.Store(c.Membership)
		err = c.Membership.Start(ctx)
	}
	if err != nil {
		_ = server.Stop(ctx)
		return nil, err
	}
	return c, nil
}

// Server is the transport, for other services on the same connections.
func (c *Connection) Server() *peer.Server { return c.server }

// Close ends the transport. The Node must have been stopped before.
func (c *Connection) Close(ctx context.Context) error {
	c.Membership.Close()
	return c.server.Stop(ctx)
}

func (c *Connection) tell(what func(Shell)) {
	if s := c.shell.Load(); s != nil {
		what(*s)
	}
}

// Attach is Network's.
func (c *Connection) Attach(s Shell) { c.shell.Store(&s) }

// Send is Network's.
func (c *Connection) Send(to view.Member, e *messages.Envelope, answer func(*messages.Reply, error)) {
	c.server.Send(to, e, answer)
}

// Notify is Network's.
func (c *Connection) Notify(to view.Member, n *messages.Notice) { c.server.Notify(to, n) }

// Push is Network's.
func (c *Connection) Push(stream uint64, n *messages.Notice) error { return c.server.Push(stream, n) }

// Call is peer.Handler's.
func (c *Connection) Call(from peer.Identity, e *messages.Envelope, answer func(*messages.Reply)) {
	if s := c.shell.Load(); s != nil {
		(*s).Call(from, e, answer)
	} else if answer != nil {
		reply := toReply(nil, errNotYet)
		reply.Moved = true
		answer(reply)
	}
}

// Ping is peer.Handler's.
func (c *Connection) Ping(from peer.Identity, p *messages.Ping) *messages.Pong {
	m := c.member.Load()
	if m == nil {
		return &messages.Pong{ConfirmedAgeMs: -1}
	}
	return m.HandlePing(from, p)
}

// Notice is peer.Handler's.
func (c *Connection) Notice(from peer.Identity, n *messages.Notice) {
	c.tell(func(s Shell) { s.Notice(from, n) })
}

// Gone is peer.Leaver's.
func (c *Connection) Gone(from peer.Identity) { c.tell(func(s Shell) { s.Gone(from) }) }
