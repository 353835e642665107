// Package peer owns the one transport between the processes of a cluster: the
// gRPC server that they and their clients reach, the streams between them, who
// is at the other end, and what becomes of a call when a stream breaks. It does
// not know who is a member, where a grain lives or what a message means.
//
// A dials B and uses that stream for A's calls and B's answers; B dials A for
// its own. Every call ends exactly once: with its answer, or with an error that
// says whether it may have been carried out.
package peer

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"

	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// The roles that a certificate may give.
const (
	RoleNode   = "node"   // a process of the cluster
	RoleClient = "client" // a program that only asks
)

// The range of protocols that this program speaks. Two processes use the newest
// that both speak; without one they refuse each other. A node that speaks one also
// reads what others keep in the store in the format of that number.
const (
	Protocol    uint32 = 2
	MinProtocol uint32 = 1
)

// Identity is who is at the other end of a stream.
type Identity struct {
	Role   string // RoleNode or RoleClient, from the verified certificate
	Name   string // of the node or client, from the verified certificate
	Member string // the member id that a node gave in its Hello; "" for a client

	// What a client's certificate confines it to: a project ("": none, it is an
	// operator's) and looking.
	Project string
	Reader  bool

	Stream uint64 // the stream it came by, for Server.Push; 0: one that this process dialled
}

// Handler takes what others send. None of its methods may block, but for Ping
// with AskFor set, which runs on its own and may take IndirectTimeout: what
// comes behind on the same stream waits. A panic is logged, and a call answered
// Internal.
type Handler interface {
	// Call takes a call. The answer may come later, from any goroutine, in any
	// order; only the first counts. answer is nil for a tell.
	Call(from Identity, e *messages.Envelope, answer func(*messages.Reply))
	// Ping answers a ping. Only nodes ping.
	Ping(from Identity, p *messages.Ping) *messages.Pong
	// Notice takes a notice, of a node or a client.
	Notice(from Identity, n *messages.Notice)
}

// Leaver is a Handler that wants to know when a stream has ended that others
// dialled: its watches end with it. It must not block.
type Leaver interface {
	Gone(from Identity)
}

// Credentials are the certificates of this process; *pki.Source. The tls.Configs
// must verify what the other end presents.
type Credentials interface {
	// ServerConfig asks for a client certificate, and verifies one if it is given.
	ServerConfig() *tls.Config
	// ClientConfig verifies that the server is that node; with an empty name, any
	// node of the cluster.
	ClientConfig(name string) *tls.Config
}

// Config is what a Server or a Dialer needs.
type Config struct {
	// Self is this process. Name must be the certificate's. A Server without an
	// Address of its own listens on Bind.
	Self    view.Member
	Cluster string // id of the cluster
	Role    string // "": RoleNode
	Bind    string // host:port to listen on; "": Self.Address. Port 0 takes a free one

	// TLS: nil (never a typed nil) means plain text, which only loopback may use.
	TLS      Credentials
	Handler  Handler
	Log      zerolog.Logger
	Register []func(grpc.ServiceRegistrar) // other services on the same port

	// Silence is how long not one byte may come from a peer that is owed something,
	// or owes, before its link is dead; 0: 1.5 s. A handshake may take 5 s, or this if
	// it is longer. Where the processor is shared with much else, links break for want
	// of time rather than of a network.
	Silence time.Duration

	// Oldest is the oldest protocol that another node must speak now, whatever this one
	// could; nil: any that this one can.
	Oldest func() uint32

	// Dial makes connections; nil: TCP. Tests put bad networks here.
	Dial func(ctx context.Context, address string) (net.Conn, error)
}
