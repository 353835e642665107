package rpc

import (
	"net"
	"strconv"
	"time"
)

// listener makes connections of what it accepts, as long as there are not too
// many.
type listener struct {
	net.Listener
	server *Server
}

// Accept is net.Listener's.
func (l *listener) Accept() (net.Conn, error) {
	for {
		tcp, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.server.admit(tcp); c != nil {
			return c, nil
		}
		_ = tcp.Close() // it is nobody's
	}
}

// admit is the connection that tcp is from now on; nil if there are too many.
func (s *Server) admit(tcp net.Conn) *conn {
	now := time.Now()
	c := &conn{Conn: tcp, server: s, created: now.UnixMilli()}
	host, port, err := net.SplitHostPort(tcp.RemoteAddr().String())
	if err != nil {
		host, port = tcp.RemoteAddr().String(), "0"
	}
	c.ip = host
	c.port, _ = strconv.Atoi(port)
	c.id = strconv.FormatInt(c.created, 10) + "_" + host + "_" + port
	c.active.Store(c.created)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop.Err() != nil || len(s.links) >= s.cfg.MaxConnections || s.byAddr[host] >= s.cfg.MaxPerAddress {
		s.cfg.Log.Warn().Str("client", host).Int("connections", len(s.links)).Msg("too many connections")
		return nil
	}
	s.links[c] = struct{}{}
	s.byAddr[host]++
	return c
}

// RemoteAddr is net.Conn's: the connection itself, so that calls find it.
func (c *conn) RemoteAddr() net.Addr { return c }

// Network and String are net.Addr's.
func (c *conn) Network() string { return "tcp" }

// String is the client's address.
func (c *conn) String() string { return net.JoinHostPort(c.ip, strconv.Itoa(c.port)) }

// Close is net.Conn's: whatever the connection had ends with it.
func (c *conn) Close() error {
	c.server.unlink(c)
	c.end()
	return c.Conn.Close()
}

func (s *Server) unlink(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, in := s.links[c]; !in {
		return
	}
	delete(s.links, c)
	if s.byAddr[c.ip]--; s.byAddr[c.ip] <= 0 {
		delete(s.byAddr, c.ip)
	}
}
