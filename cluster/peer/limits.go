package peer

import "time"

// Limits of size and number.
const (
	// MaxPayloadBytes is how large one envelope or reply may be, marshalled. It
	// leaves room for a configuration of 10 MiB.
	MaxPayloadBytes = 16 << 20

	maxReceiveBytes = MaxPayloadBytes + 64<<10 // one message of a stream
	batchBytes      = 1 << 20                  // frames that go out together; a larger one goes alone
	windowBytes     = 4 << 20                  // of a stream, before its reader must have read

	maxQueuedBytes  = 64 << 20 // that wait for one peer
	maxQueuedFrames = 16384
	maxUrgentFrames = 1024  // pings, beats: they pass the others
	maxUnanswered   = 16384 // calls to one peer

	maxServingNode   = 4 * maxUnanswered // calls of one stream, being answered
	maxServingClient = 1024
	maxIndirect      = 16   // pings for others at once, a stream
	maxSessions      = 4096 // streams that others dialled
	maxClientStreams = 64   // of one client's name
	maxStreams       = 256  // of all services, a connection
)

// Times.
const (
	// IndirectTimeout is how long a Handler may take to ping for another.
	IndirectTimeout = time.Second
	// MaxClockSkew is how far the clocks of two processes may differ.
	MaxClockSkew = 30 * time.Second
	// MaxWait bounds a call without a deadline.
	MaxWait = time.Minute

	tick             = 250 * time.Millisecond // of the watch over a stream that owes something
	deadTicks        = 6                      // without one byte: the link is dead, unless Config.Silence says otherwise
	handshakeTimeout = 5 * time.Second        // the least for Config.handshake
	minRedial        = 50 * time.Millisecond  // after a failed attempt
	maxRedial        = time.Second
	steadyAfter      = time.Second // a stream that lived so long is no failed attempt
	keepaliveEvery   = 2 * time.Minute
	keepaliveTimeout = 20 * time.Second
)

const (
	streamLife = time.Hour   // then it is made anew, when nobody waits
	renewEvery = time.Second // look whether nobody waits
)
