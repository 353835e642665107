// Package h1 owns a fast lane in front of net/http: of the connections of one
// listener it answers the simplest requests itself, those GETs that clients send all
// the time, with the same handler and the same bytes that net/http would. As soon as
// anything on a connection is not exactly as simple as that, net/http has the
// connection, with all that was read, for good. It knows no route and judges nobody:
// that is its handler's.
//
// Source: RFC 9112; what is accepted is a part of what net/http accepts, and a fuzz
// target holds the two against each other.
package h1

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// Limits. Whatever is beyond them is net/http's.
const (
	maxHead     = 4 << 10  // bytes of a request, and of the buffer of a connection
	maxHeaders  = 64       // of a request
	directWrite = 64 << 10 // bytes of a body that are written without being copied
	keptOut     = 64 << 10 // larger buffers are not kept
)

// Config says what is answered here.
type Config struct {
	Handler http.Handler

	// Paths are those that are answered here, and Params the parameters that a query
	// may have for that; both as they stand in a request, without any escape.
	Paths, Params map[string]bool

	IdleTime  time.Duration // for the next request; a connection may live a quarter longer
	HeadTime  time.Duration // for the rest of a request that has begun
	WriteTime time.Duration // for a client to take an answer
	Log       zerolog.Logger
}

// Server answers connections, and is the listener of those that it gives away.
type Server struct {
	cfg   Config
	from  net.Listener
	given chan net.Conn
	done  chan struct{} // closed when nothing is accepted any more
	once  sync.Once
	date  atomic.Pointer[date]

	closing atomic.Bool // set under mu

	mu    sync.Mutex
	conns map[*conn]struct{}
	err   error // why nothing is accepted any more
	tasks sync.WaitGroup
}

// Front begins to accept from l.
func Front(l net.Listener, cfg Config) *Server {
	s := &Server{cfg: cfg, from: l, given: make(chan net.Conn), done: make(chan struct{}), conns: map[*conn]struct{}{}}
	s.tasks.Go(s.accept)
	return s
}

func (s *Server) accept() {
	for {
		nc, err := s.from.Accept()
		if err != nil {
			s.mu.Lock()
			s.err = err
			s.mu.Unlock()
			s.once.Do(func() { close(s.done) })
			return
		}
		if c := s.enter(nc); c != nil {
			go c.live()
		} else {
			_ = nc.Close()
		}
	}
}

// enter notes a connection; nil: it comes too late.
func (s *Server) enter(nc net.Conn) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return nil
	}
	c := &conn{net: nc, server: s}
	s.conns[c] = struct{}{}
	s.tasks.Add(1)
	return c
}

func (s *Server) leave(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.tasks.Done()
}

// Accept is net.Listener's: a connection that is net/http's to serve.
func (s *Server) Accept() (net.Conn, error) {
	select {
	case nc := <-s.given:
		return nc, nil
	case <-s.done:
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.err == nil {
			return nil, net.ErrClosed
		}
		return nil, s.err
	}
}

// Addr is net.Listener's.
func (s *Server) Addr() net.Addr { return s.from.Addr() }

// Close is net.Listener's. Connections that are served here go on until Shutdown.
func (s *Server) Close() error {
	err := s.from.Close()
	s.once.Do(func() { close(s.done) })
	return err
}

// Shutdown lets requests under way be answered, and closes all connections; when ctx
// ends, without waiting any longer.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	s.closeConns((*conn).closeIdle)
	ended := make(chan struct{})
	go func() {
		s.tasks.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return err
	case <-ctx.Done():
		s.closeConns(func(c *conn) { _ = c.net.Close() })
		return errors.Join(err, ctx.Err())
	}
}

func (s *Server) closeConns(end func(*conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing.Store(true)
	for c := range s.conns {
		end(c)
	}
}

// date is a second as answers tell it.
type date struct {
	second int64
	text   string
}

// today is the header Date.
func (s *Server) today(now time.Time) string {
	if d := s.date.Load(); d != nil && d.second == now.Unix() {
		return d.text
	}
	d := &date{now.Unix(), now.UTC().Format(http.TimeFormat)}
	s.date.Store(d)
	return d.text
}
