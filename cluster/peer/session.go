package peer

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/troupe-cloud/troupe/messages"
)

// session is a stream that somebody else dialled. One goroutine reads, one
// writes, and the one gRPC gave waits for the end of either: so neither a peer
// that sends nothing nor one that reads nothing holds it up.
type session struct {
	s     *Server
	from  Identity
	addr  string
	count *traffic
	tally tally

	wake chan struct{}
	done chan struct{} // closed by end

	mu       sync.Mutex
	out      outbox
	serving  int // calls that have not been answered
	leaving  bool
	why      error // of the end
	indirect atomic.Int32
}

func newSession(s *Server, from Identity, addr string, count *traffic) *session {
	return &session{s: s, from: from, addr: addr, count: count, wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// end makes the stream end with err; nil: in order. Only the first counts.
func (x *session) end(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	select {
	case <-x.done:
	default:
		x.why = err
		x.out = outbox{}
		close(x.done)
	}
}

func (x *session) ended() bool {
	select {
	case <-x.done:
		return true
	default:
		return false
	}
}

// put queues a frame for the other end. Who does not read what it asked for loses
// the stream, and so learns that it does not have its answers.
func (x *session) put(data []byte, urgent bool) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ended() {
		return false
	}
	if urgent {
		x.out.putUrgent(item{data: data})
	} else if !x.out.put(item{data: data}) {
		x.why = status.Error(codes.ResourceExhausted, "answers are not being read")
		x.out = outbox{}
		close(x.done)
		return false
	}
	x.nudge()
	return true
}

func (x *session) nudge() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// run serves the stream until it ends.
func (x *session) run(stream grpc.ServerStream, end <-chan time.Time) error {
	x.s.running.Go(func() { x.end(x.read(stream)) })
	x.s.running.Go(func() { x.write(stream) })
	select {
	case <-x.done:
	case <-stream.Context().Done():
		x.end(context.Cause(stream.Context()))
	case <-end:
		x.end(status.Error(codes.Unauthenticated, "the certificate has expired"))
	}
	return x.why
}

func (x *session) read(stream grpc.ServerStream) error {
	for {
		frames := &messages.Frames{}
		if err := stream.RecvMsg(frames); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := x.receive(frames); err != nil {
			return err
		}
	}
}

func (x *session) write(stream grpc.ServerStream) {
	var batch []item
	for {
		x.mu.Lock()
		batch = x.out.take(batch[:0])
		x.mu.Unlock()
		if len(batch) == 0 {
			if x.left() {
				x.end(nil)
			}
			select {
			case <-x.wake:
				gather()
				continue
			case <-x.done:
				return
			}
		}
		if err := stream.SendMsg(batch); err != nil {
			x.end(err)
			return
		}
		x.tally.sent(batch)
		clear(batch)
	}
}

// leave tells the other end to send no more, and ends the stream once what it
// has sent is answered.
func (x *session) leave(reason messages.GoAway_Reason, message string) {
	x.mu.Lock()
	x.leaving = true
	x.mu.Unlock()
	x.put(mustEncode(goAway(reason, message)), true)
	x.nudge()
}

func (x *session) left() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.leaving && x.serving == 0 && x.out.len() == 0
}

func (x *session) stat() Stat {
	s := x.tally.stat(x.count)
	s.Identity, s.Address, s.Up = x.from, x.addr, true
	x.mu.Lock()
	defer x.mu.Unlock()
	s.Queued, s.QueuedBytes, s.Unanswered = x.out.len(), x.out.bytes, x.serving
	return s
}
