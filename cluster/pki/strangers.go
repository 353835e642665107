package pki

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc/credentials"

	"github.com/troupe-cloud/troupe/messages"
)

// What a connection without a certificate may do. A stranger has one short
// question; without these limits it could have a server hold as much as the
// largest message of a member.
const (
	strangerBytes    = 64 << 10 // that it may send, all told
	strangerLife     = 30 * time.Second
	maxStrangers     = 64 // at once
	maxStrangersHost = 8  // at once, from one address
)

var errStranger = fmt.Errorf("a connection without a certificate has sent more than %d bytes: %w", strangerBytes, messages.Exhausted)

// serverCredentials are TLS with limits for strangers.
type serverCredentials struct {
	credentials.TransportCredentials
	strangers *strangers
}

func newServerCredentials(s Server) credentials.TransportCredentials {
	return &serverCredentials{credentials.NewTLS(s.ServerConfig()), &strangers{hosts: map[string]int{}}}
}

func (c *serverCredentials) Clone() credentials.TransportCredentials {
	return &serverCredentials{c.TransportCredentials.Clone(), c.strangers}
}

// ServerHandshake is gRPC's.
func (c *serverCredentials) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, info, err := c.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		return conn, info, err
	}
	if t, ok := info.(credentials.TLSInfo); ok && len(t.State.PeerCertificates) > 0 {
		return endAt(conn, t.State.PeerCertificates[0].NotAfter), info, nil
	}
	limited, err := c.strangers.admit(conn)
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	return limited, info, nil
}

// strangers counts the connections without a certificate.
type strangers struct {
	mu    sync.Mutex
	all   int
	hosts map[string]int
}

func (s *strangers) admit(conn net.Conn) (net.Conn, error) {
	host := hostOf(conn.RemoteAddr())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= maxStrangers || s.hosts[host] >= maxStrangersHost {
		return nil, fmt.Errorf("there are %d connections without a certificate, %d of them from %s: %w", s.all, s.hosts[host], host, messages.Exhausted)
	}
	s.all++
	s.hosts[host]++
	limited := &strangerConn{Conn: conn, left: strangerBytes}
	limited.gone = sync.OnceFunc(func() { s.leave(host) })
	limited.timer = time.AfterFunc(strangerLife, func() {
		limited.gone()
		_ = conn.Close()
	})
	return limited, nil
}

func (s *strangers) leave(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.hosts[host]--; s.hosts[host] == 0 {
		delete(s.hosts, host)
	}
}

// hostOf is the address of a peer without its port.
func hostOf(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}

// strangerConn ends when its bytes or its time are used up. One goroutine reads.
type strangerConn struct {
	net.Conn
	left  int
	gone  func()
	timer *time.Timer
}

func (c *strangerConn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errStranger
	}
	n, err := c.Conn.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

func (c *strangerConn) Close() error {
	c.timer.Stop()
	c.gone()
	return c.Conn.Close()
}

// endingConn ends with the certificate that it was made with: its owner has long
// had another, and dials anew.
type endingConn struct {
	net.Conn
	timer *time.Timer
}

func endAt(conn net.Conn, end time.Time) net.Conn {
	return &endingConn{conn, time.AfterFunc(time.Until(end), func() { _ = conn.Close() })}
}

func (c *endingConn) Close() error {
	c.timer.Stop()
	return c.Conn.Close()
}
