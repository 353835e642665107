package peer

import (
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/troupe-cloud/troupe/messages"
)

const exchangeMethod = "/troupe.Peer/Exchange"

// service describes troupe.Peer to gRPC: one stream of Frames both ways.
var service = grpc.ServiceDesc{
	ServiceName: "troupe.Peer",
	HandlerType: (*any)(nil),
	Streams: []grpc.StreamDesc{{
		StreamName: "Exchange", ServerStreams: true, ClientStreams: true,
		Handler: func(srv any, stream grpc.ServerStream) error { return srv.(*Server).exchange(stream) },
	}},
	Metadata: "peer.proto",
}

// exchange serves a stream that somebody dialled.
func (s *Server) exchange(stream grpc.ServerStream) error {
	first, err := s.first(stream)
	if err != nil {
		return err
	}
	from, r := s.welcome(stream, first)
	if r != nil {
		s.c.Log.Warn().Str("peer", first.GetHello().GetName()).Str("address", addressOf(stream)).Str("reason", r.message).Msg("peer refused")
		_ = stream.SendMsg(&messages.Frames{Frames: []*messages.Frame{goAway(r.reason, r.message)}})
		return status.Error(codes.FailedPrecondition, r.message)
	}
	x := s.newSession(stream, from)
	if r := s.add(x); r != nil {
		_ = stream.SendMsg(&messages.Frames{Frames: []*messages.Frame{goAway(r.reason, r.message)}})
		return status.Error(codes.Unavailable, r.message)
	}
	defer s.remove(x)
	if err := stream.SendMsg(&messages.Frames{Frames: []*messages.Frame{s.c.hello(s.Self(), from.Member)}}); err != nil {
		return err
	}
	var end time.Time
	if who, err := presented(stream.Context()); err == nil {
		end = who.Until
	}
	err = x.run(stream, until(end))
	if err != nil && status.Code(err) != codes.Canceled && stream.Context().Err() == nil {
		s.c.Log.Warn().Err(err).Str("peer", from.Name).Msg("stream of a peer ended")
	}
	return err
}

// first waits for the Hello. Who sends none is cut off.
func (s *Server) first(stream grpc.ServerStream) (*messages.Frame, error) {
	type result struct {
		frames *messages.Frames
		err    error
	}
	got := make(chan result, 1)
	s.running.Go(func() {
		frames := &messages.Frames{}
		err := stream.RecvMsg(frames)
		got <- result{frames, err}
	})
	limit := time.NewTimer(s.c.handshake())
	defer limit.Stop()
	select {
	case r := <-got:
		switch {
		case r.err != nil:
			return nil, r.err
		case len(r.frames.GetFrames()) != 1 || r.frames.GetFrames()[0].GetHello() == nil:
			return nil, status.Error(codes.InvalidArgument, "the first frame must be a Hello, alone")
		}
		return r.frames.GetFrames()[0], nil
	case <-limit.C:
		return nil, status.Errorf(codes.DeadlineExceeded, "no greeting within %v", s.c.handshake())
	}
}

func (s *Server) welcome(stream grpc.ServerStream, f *messages.Frame) (Identity, *refusal) {
	h, self := f.GetHello(), s.Self()
	// A Hello has no time of sending by our clock: it was just now.
	from, r := s.c.judge(stream.Context(), self, h, time.Now())
	if r == nil && h.GetToMemberId() != "" && h.GetToMemberId() != self.ID {
		r = refuse(messages.GoAway_REASON_NOT_ME, "member %s is here now, not %s", self.ID, h.GetToMemberId())
	}
	return from, r
}

func addressOf(stream grpc.ServerStream) string {
	if p, ok := peer.FromContext(stream.Context()); ok {
		return p.Addr.String()
	}
	return ""
}

func (s *Server) newSession(stream grpc.ServerStream, from Identity) *session {
	from.Stream = s.ids.Add(1)
	address, count := addressOf(stream), &traffic{}
	if c, ok := s.counts.Load(address); ok {
		count = c.(*traffic)
	}
	return newSession(s, from, address, count)
}

// add lists a session. A node has one: a second means that the first is dead and
// this end has not heard of it.
func (s *Server) add(x *session) *refusal {
	s.open.Lock()
	defer s.open.Unlock()
	if s.stopping {
		return refuse(messages.GoAway_REASON_STOPPING, "the node stops")
	}
	same := 0
	for _, other := range s.sessions {
		switch {
		case other.from.Role != x.from.Role || other.from.Name != x.from.Name:
		case x.from.Role == RoleNode && other.from.Member == x.from.Member:
			other.end(status.Error(codes.Aborted, "it was dialled anew"))
		default:
			same++
		}
	}
	if len(s.sessions) >= maxSessions || same >= maxClientStreams {
		return refuse(messages.GoAway_REASON_LIMIT, "too many streams")
	}
	s.sessions[x.from.Stream] = x
	return nil
}

func (s *Server) remove(x *session) {
	x.end(nil)
	s.open.Lock()
	delete(s.sessions, x.from.Stream)
	if s.stopping && len(s.sessions) == 0 {
		close(s.empty)
	}
	s.open.Unlock()
	s.gone(x.from)
}

// counting is a listener whose connections count their bytes.
type counting struct {
	net.Listener
	s *Server
}

// Accept is net.Listener's.
func (l counting) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	count, address := &traffic{}, c.RemoteAddr().String()
	l.s.counts.Store(address, count)
	return &meter{Conn: c, count: count, closed: func() { l.s.counts.CompareAndDelete(address, count) }}, nil
}
