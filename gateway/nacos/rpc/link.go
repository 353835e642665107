package rpc

import (
	"net"
	"strconv"
	"time"
)

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
	s.tasks.Add(1)
	return c
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
