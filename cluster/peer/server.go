package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/troupe-cloud/troupe/cluster/pki"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// Server is the peer service of a process, and its connections to others.
type Server struct {
	*Dialer
	grpc   *grpc.Server
	counts sync.Map // remote address -> *traffic

	ids      atomic.Uint64
	sessions map[uint64]*session
	open     sync.Mutex // guards sessions and stopping
	stopping bool
	empty    chan struct{} // closed when stopping and without sessions
}

// Listen starts the service. It ends with Stop; ctx bounds only the start.
func Listen(ctx context.Context, c Config) (*Server, error) {
	d, err := NewDialer(c)
	if err != nil {
		return nil, err
	}
	if d.c.Role != RoleNode {
		return nil, fmt.Errorf("only a node has a peer service: %w", messages.Invalid)
	}
	s := &Server{Dialer: d, sessions: map[uint64]*session{}, empty: make(chan struct{})}
	listener, err := s.listen(ctx)
	if err != nil {
		return nil, err
	}
	s.grpc = grpc.NewServer(s.options()...)
	s.grpc.RegisterService(&service, s)
	for _, register := range d.c.Register {
		register(s.grpc)
	}
	s.running.Go(func() {
		if err := s.grpc.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			s.c.Log.Error().Err(err).Msg("the peer service has ended")
		}
	})
	return s, nil
}

func (s *Server) listen(ctx context.Context) (net.Listener, error) {
	bind := s.c.Bind
	if bind == "" {
		bind = s.c.Self.Address
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", bind)
	if err != nil {
		return nil, fmt.Errorf("the peer service cannot listen at %q: %w: %w", bind, err, messages.Invalid)
	}
	if s.c.TLS == nil {
		if err := loopback(l.Addr()); err != nil {
			_ = l.Close()
			return nil, err
		}
	}
	self := s.c.Self
	self.Address = reachable(self.Address, l.Addr())
	s.self.Store(&self)
	return counting{l, s}, nil
}

// reachable is the address that others use: the one given, with the real port.
func reachable(given string, real net.Addr) string {
	host, port, err := net.SplitHostPort(given)
	if err != nil || given == "" {
		return real.String()
	}
	if port != "0" {
		return given
	}
	_, port, _ = net.SplitHostPort(real.String())
	return net.JoinHostPort(host, port)
}

func (s *Server) options() []grpc.ServerOption {
	o := []grpc.ServerOption{
		grpc.UnaryInterceptor(s.c.unary),
		grpc.StreamInterceptor(s.c.stream),
		grpc.ForceServerCodecV2(s.codec),
		grpc.MaxRecvMsgSize(maxReceiveBytes),
		grpc.MaxSendMsgSize(maxReceiveBytes),
		grpc.StaticStreamWindowSize(windowBytes),
		grpc.StaticConnWindowSize(2 * windowBytes),
		grpc.ConnectionTimeout(s.c.handshake()),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: keepaliveEvery, Timeout: keepaliveTimeout}),
		grpc.WaitForHandlers(true),
	}
	if s.c.TLS != nil {
		o = append(o, pki.ServerOptions(s.c.TLS, service.ServiceName)...)
	}
	return o
}

// Self is this process as it presents itself; its Address has the real port.
func (s *Server) Self() view.Member { return *s.self.Load() }

// SetSelf is for a process that has joined again under another id. Every stream
// ends: the others, too, must see it as another member.
func (s *Server) SetSelf(m view.Member) {
	if m.Protocol == 0 {
		m.Protocol, m.MinProtocol = s.c.Self.Protocol, s.c.Self.MinProtocol
	}
	if m.Address == "" {
		m.Address = s.Self().Address
	}
	if s.setSelf(m) {
		for _, x := range s.all() {
			x.leave(messages.GoAway_REASON_NOT_ME, errSelf.Error())
		}
	}
}

// Push sends a notice to whoever dialled that stream (Identity.Stream), in order.
// ErrUnreachable: the stream is gone, or went because what it was sent before is
// not being read.
func (s *Server) Push(stream uint64, n *messages.Notice) error {
	s.open.Lock()
	x := s.sessions[stream]
	s.open.Unlock()
	if x == nil {
		return fmt.Errorf("stream %d: %w", stream, ErrUnreachable)
	}
	data, err := encode(&messages.Frame{Body: &messages.Frame_Notice{Notice: n}})
	if err != nil {
		return err
	}
	if !x.put(data, false) {
		return fmt.Errorf("stream %d: %w", stream, ErrUnreachable)
	}
	return nil
}

// Inbound are the streams that others have dialled.
func (s *Server) Inbound() []Stat {
	var stats []Stat
	for _, x := range s.all() {
		stats = append(stats, x.stat())
	}
	return sortStats(stats)
}

func (s *Server) all() []*session {
	s.open.Lock()
	defer s.open.Unlock()
	all := make([]*session, 0, len(s.sessions))
	for _, x := range s.sessions {
		all = append(all, x)
	}
	return all
}

// Stop takes no more, lets what was taken be answered until ctx ends, and closes
// every connection.
func (s *Server) Stop(ctx context.Context) error {
	s.open.Lock()
	if !s.stopping {
		s.stopping = true
		if len(s.sessions) == 0 {
			close(s.empty)
		}
	}
	s.open.Unlock()
	for _, x := range s.all() {
		x.leave(messages.GoAway_REASON_STOPPING, "the node stops")
	}
	var err error
	select {
	case <-s.empty:
	case <-ctx.Done():
		err = fmt.Errorf("the peer service was stopped before all was answered: %w", ctx.Err())
		for _, x := range s.all() {
			x.end(ErrStopped)
		}
	}
	s.shut(ctx)
	return errors.Join(err, s.Close())
}

// shut closes the connections once what was said on them has left, or ctx ends.
func (s *Server) shut(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		s.grpc.GracefulStop()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		s.grpc.Stop()
		<-done
	}
}
