// Package rpc owns the gRPC side of the Nacos dialect: connections and their life,
// requests of all kinds over them, and what the server pushes: changed services,
// changed configs, names that come and go, and where to connect instead. It decides
// nothing: services, configs and locks are actors, and who may do what is package
// api's to say.
//
// Source: nacos_grpc_service.proto and com.alibaba.nacos.api.remote of 2.5 and 3.1.
package rpc

import (
	"cmp"
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/registry"
)

// Config is what a Server depends on. The zero value of a limit means its default.
type Config struct {
	Cloud  registry.Cloud
	Feeds  *registry.Feeds
	Owners *registry.Owners
	Names  *registry.Names
	Auth   api.Authenticator // nil: nobody is known, and may do anything
	Log    zerolog.Logger    // audit lines at info, connections at debug

	// Ready says whether requests can be worked on; nil: always.
	Ready func() bool

	MaxConnections int
	MaxPerAddress  int
}

// Server speaks with the clients of this node.
type Server struct {
	cfg      Config
	renders  *registry.Renders
	grpc     *grpc.Server
	clock    atomic.Int64  // about now, in Unix milliseconds
	numbers  atomic.Uint64 // of requests to clients
	pushers  pushers
	wheel    wheel
	stop     context.Context
	stopping context.CancelFunc
	tasks    sync.WaitGroup

	mu     sync.Mutex
	links  map[*conn]struct{} // everybody who is connected
	byAddr map[string]int
	conns  map[string]*conn // who is set up, by id
}

// New makes a server. It listens nowhere until Serve.
func New(cfg Config) *Server {
	cfg.MaxConnections = cmp.Or(cfg.MaxConnections, DefaultMaxConnections)
	cfg.MaxPerAddress = cmp.Or(cfg.MaxPerAddress, DefaultMaxPerAddress)
	s := &Server{
		cfg: cfg, renders: registry.NewRenders(),
		links: map[*conn]struct{}{}, byAddr: map[string]int{}, conns: map[string]*conn{},
	}
	s.clock.Store(time.Now().UnixMilli())
	s.stop, s.stopping = context.WithCancel(context.Background())
	s.grpc = grpc.NewServer(
		grpc.ForceServerCodecV2(codec{}),
		grpc.MaxRecvMsgSize(MaxInbound),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxHeaderListSize(maxHeaderBytes),
		grpc.ConnectionTimeout(headTime),
		grpc.ReadBufferSize(readBuffer),
		grpc.WriteBufferSize(writeBuffer),
		grpc.InitialWindowSize(streamWindow),
		grpc.InitialConnWindowSize(connWindow),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingEvery, PermitWithoutStream: true}),
	)
	s.grpc.RegisterService(&requestService, s)
	s.grpc.RegisterService(&streamService, s)
	s.tasks.Go(s.tick)
	return s
}

// The two services have no package, so that their paths are /Request/request and
// /BiRequestStream/requestBiStream.
var (
	requestService = grpc.ServiceDesc{
		ServiceName: "Request", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "request", Handler: unary}},
	}
	streamService = grpc.ServiceDesc{
		ServiceName: "BiRequestStream", HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{{StreamName: "requestBiStream", Handler: stream, ServerStreams: true, ClientStreams: true}},
	}
)

// Serve takes connections from l until Close; it may be called for several
// listeners. It closes l.
func (s *Server) Serve(l net.Listener) error {
	err := s.grpc.Serve(&listener{Listener: l, server: s})
	if errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err
}

// Close ends every connection. Clients go to another server by themselves; who
// wants them to be told where, calls MoveAll before.
func (s *Server) Close() {
	s.stopping()
	done := make(chan struct{})
	go func() {
		s.grpc.Stop()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(goodbyeTime):
	}
	s.tasks.Wait()
}

// now is the time, to about a tenth of a second.
func (s *Server) now() int64 { return s.clock.Load() }

// tick keeps the clock, and looks after all connections once a second.
func (s *Server) tick() {
	ticker := time.NewTicker(clockTick)
	defer ticker.Stop()
	last := time.Now()
	for {
		select {
		case <-s.stop.Done():
			return
		case now := <-ticker.C:
			s.clock.Store(now.UnixMilli())
			if now.Sub(last) >= tickTime {
				last = now
				s.wheel.turn(s)
				s.look(now)
			}
		}
	}
}
