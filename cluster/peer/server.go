package peer

import (
	"context"

	"google.golang.org/grpc"

	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// Server is the peer service of a process, and its connections to others.
type Server struct{ *Dialer }

// Listen starts the service.
func Listen(ctx context.Context, c Config) (*Server, error) { panic("being written") }

// Self is this process as it presents itself; its Address has the real port.
func (s *Server) Self() view.Member { panic("being written") }

// SetSelf is for a process that has joined again under another id. Every stream ends.
func (s *Server) SetSelf(m view.Member) { panic("being written") }

// Push sends a notice to whoever dialled that stream (Identity.Stream).
// ErrBusy: it does not read what it is sent; ErrUnreachable: the stream is gone.
func (s *Server) Push(stream uint64, n *messages.Notice) error { panic("being written") }

// Stop takes no more, lets what was taken be answered until ctx ends, and closes.
func (s *Server) Stop(ctx context.Context) error { panic("being written") }

// Dialer is connections to members, of a member (in a Server) or of a client.
type Dialer struct{}

// NewDialer is for programs that only ask (RoleClient). It dials when used.
func NewDialer(c Config) (*Dialer, error) { panic("being written") }

// Send sends a call to a member and never blocks. answer is called exactly once,
// never before Send has returned and never with both values set, and must not
// block: with the reply; or ErrBusy, ErrUnreachable, ErrRefused, ErrTooLarge
// (not sent), or ErrBroken, ErrTimeout (outcome unknown). For a tell it may be
// nil; it is called with nil, nil once the tell has been given to the stream.
func (d *Dialer) Send(to view.Member, e *messages.Envelope, answer func(*messages.Reply, error)) {
	panic("being written")
}

// Call sends and waits, until ctx ends.
func (d *Dialer) Call(ctx context.Context, to view.Member, e *messages.Envelope) (*messages.Reply, error) {
	panic("being written")
}

// Ping pings. Its error is never one remembered from an earlier attempt.
func (d *Dialer) Ping(ctx context.Context, to view.Member, p *messages.Ping) (*messages.Pong, error) {
	panic("being written")
}

// Notify sends a notice, which may be lost.
func (d *Dialer) Notify(to view.Member, n *messages.Notice) { panic("being written") }

// Conn is a connection of its own for other services, so that bulk does not
// stand in the way of calls. It belongs to the Dialer and closes with it.
func (d *Dialer) Conn(to view.Member) (*grpc.ClientConn, error) { panic("being written") }

// Retain closes the connections to all others.
func (d *Dialer) Retain(members []view.Member) { panic("being written") }

// Close closes every connection. What was not answered gets ErrBroken.
func (d *Dialer) Close() error { panic("being written") }

// IdentityOf is who made a call of another service on the same port.
func IdentityOf(ctx context.Context) (Identity, bool) { panic("being written") }
