// Package h2 owns a small gRPC server: HTTP/2 without TLS, one goroutine for each
// connection and no memory but a small buffer for one that is idle, so that ten
// thousand clients that mostly wait cost little. It knows messages as bytes and
// paths as text; what they mean is its user's. There is no compression, and no
// metadata but what gRPC itself needs.
//
// Source: RFC 9113, RFC 7541, and gRPC over HTTP2 (grpc/doc/PROTOCOL-HTTP2.md).
package h2

import (
	"errors"
	"net"
	"sync"
	"time"
)

// Limits. Windows are what a client may send before it has to wait.
const (
	maxFrame       = 16 << 10 // bytes of one frame, in both directions
	maxHeaderBlock = 16 << 10 // bytes of the headers of one call, compressed
	maxHeaderText  = 8 << 10  // bytes of one header
	headerTable    = 4 << 10  // bytes of headers that a client may refer to again
	streamWindow   = 128 << 10
	connWindow     = 1 << 20
	maxOut         = 1 << 20  // bytes that wait to be written, before the connection is read no further
	maxWaiting     = 32 << 20 // bytes of answers that wait for the client to allow more, before it is refused more calls
	maxPings       = 1000     // in pingTime
	pingTime       = 10 * time.Second
	maxResets      = 10_000 // calls that a client takes back in pingTime
	smallBuffer    = 1 << 10
	maxBatch       = 64  // calls that are worked on together
	idleWorkers    = 256 // goroutines that wait for the next calls
)

// Kind is what there is at a path.
type Kind int

// The kinds of paths.
const (
	Absent Kind = iota
	Unary       // one message, one answer
	Stream      // messages in both directions
)

// Status codes of gRPC that the server itself answers with.
const (
	statusOK            = 0
	statusInvalid       = 3
	statusExhausted     = 8
	statusUnimplemented = 12
	statusInternal      = 13
)

// Config says how a connection is served. Zero limits are no limits at all.
type Config struct {
	MaxMessage  int           // bytes of one message
	MaxBuffered int           // bytes of all messages of a connection that are not complete yet
	MaxCalls    int           // of one connection at once
	WriteTime   time.Duration // for a client to take what is written to it
	Route       func(path string) Kind
}

// Peer is what a connection is to its user.
type Peer interface {
	// Begin takes the message of a unary call, and has it until the call is answered.
	Begin(in []byte) Call
	// Together answers calls of which each Joins: answered is called with the number of
	// a call as soon as there is its answer, idle before anybody is waited for.
	Together(all []Call, answered func(i int, r Reply), idle func())
	// Message takes one message of a stream, in order. It must not block; in is good
	// until it returns. An error ends the stream.
	Message(s *Sender, in []byte) error
	// Ended says that a stream has ended, for whatever reason.
	Ended(s *Sender)
}

// Call is a unary call that is to be answered, by one of the two or by Together.
type Call interface {
	// Quick answers if nothing has to be waited for; the calls behind wait for it.
	Quick() (r Reply, ok bool)
	// Joins says whether it may be answered together with others.
	Joins() bool
	// Answer may take its time.
	Answer() Reply
}

// Reply is the answer of a call.
type Reply interface {
	Bytes() []byte
	Free() // called when Bytes are not needed any more
}

// Errors of a Sender.
var (
	ErrEnded = errors.New("the stream has ended")
	errSlow  = errors.New("the client does not read")
)

// Server serves connections.
type Server struct {
	cfg  Config
	jobs chan *batch
	idle chan struct{} // a place for each goroutine that waits for a call
	done chan struct{}
	once sync.Once
}

// New makes a server.
func New(cfg Config) *Server {
	return &Server{cfg: cfg, jobs: make(chan *batch), idle: make(chan struct{}, idleWorkers), done: make(chan struct{})}
}

// Close lets go what the server keeps for calls to come; connections end by being
// closed.
func (s *Server) Close() { s.once.Do(func() { close(s.done) }) }

// Serve serves a connection until either side ends it, and closes it.
func (s *Server) Serve(nc net.Conn, p Peer) {
	c := newConn(nc, p, s)
	defer c.finish()
	defer nc.Close()
	err := c.read()
	c.submit() // what was complete before
	c.fail(err)
}
