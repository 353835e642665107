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
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/h2"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/gateway/registry"
)

// Config is what a Server depends on. The zero value of a limit means its default.
type Config struct {
	Cloud  registry.Cloud
	Feeds  *registry.Feeds
	Owners *registry.Owners
	Names  *registry.Names
	Auth   api.Authenticator // nil: every request that needs a permission is refused
	Log    zerolog.Logger    // audit lines at info, connections at debug

	// Ready says whether requests can be worked on; nil: always.
	Ready func() bool
	// Pressure is how busy the node is: at 1 and above requests that need an actor are
	// answered 503. It is asked for each of them. Nil: it never is.
	Pressure func() float64

	MaxConnections   int
	MaxPerAddress    int
	MaxSubscriptions int // of one connection, as the others below
	MaxListens       int
	MaxServices      int
}

// Server speaks with the clients of this node.
type Server struct {
	cfg      Config
	renders  *registry.Renders
	same     wire.Same
	tokens   texts
	http     *h2.Server
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
	cfg.MaxSubscriptions = cmp.Or(cfg.MaxSubscriptions, DefaultMaxSubscriptions)
	cfg.MaxListens = cmp.Or(cfg.MaxListens, DefaultMaxListens)
	cfg.MaxServices = cmp.Or(cfg.MaxServices, DefaultMaxServices)
	s := &Server{
		cfg: cfg, renders: registry.NewRenders(),
		links: map[*conn]struct{}{}, byAddr: map[string]int{}, conns: map[string]*conn{},
	}
	s.clock.Store(time.Now().UnixMilli())
	s.stop, s.stopping = context.WithCancel(context.Background())
	s.http = h2.New(h2.Config{
		MaxMessage: MaxInbound, MaxBuffered: maxBuffered, MaxCalls: maxCalls, WriteTime: slowTime, Route: route,
	})
	s.tasks.Go(s.tick)
	return s
}

// The two services have no package.
const (
	unaryPath  = "/Request/request"
	streamPath = "/BiRequestStream/requestBiStream"
)

func route(path string) h2.Kind {
	switch path {
	case unaryPath:
		return h2.Unary
	case streamPath:
		return h2.Stream
	}
	return h2.Absent
}

// Serve takes connections from l until Close; it may be called for several
// listeners. It closes l.
func (s *Server) Serve(l net.Listener) error {
	stop := context.AfterFunc(s.stop, func() { _ = l.Close() })
	defer stop()
	defer l.Close()
	for pause := acceptPause; ; {
		tcp, err := l.Accept()
		switch {
		case s.stop.Err() != nil:
			if err == nil {
				_ = tcp.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // too many open files, for instance
			s.cfg.Log.Warn().Err(err).Msg("no connection could be accepted")
			select {
			case <-time.After(pause):
			case <-s.stop.Done():
			}
			pause = min(2*pause, acceptMaxPause)
			continue
		}
		pause = acceptPause
		if c := s.admit(tcp); c != nil {
			go s.serve(c)
		} else {
			_ = tcp.Close()
		}
	}
}

// serve is the life of one connection.
func (s *Server) serve(c *conn) {
	defer s.tasks.Done()
	defer func() {
		if p := recover(); p != nil {
			s.cfg.Log.Error().Any("panic", p).Bytes("stack", debug.Stack()).Str("connection", c.id).Msg("a connection panicked")
		}
		s.unlink(c)
		c.end()
	}()
	s.http.Serve(c.Conn, c)
}

// Close ends every connection. Clients go to another server by themselves; who
// wants them to be told where, calls MoveAll before.
func (s *Server) Close() {
	s.mu.Lock()
	s.stopping()
	all := make([]*conn, 0, len(s.links))
	for c := range s.links {
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		_ = c.Conn.Close()
	}
	s.http.Close()
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
			s.pushers.look(s.clock.Swap(now.UnixMilli()))
			if now.Sub(last) >= tickTime {
				last = now
				s.wheel.turn(s)
				s.look(now)
			}
		}
	}
}
