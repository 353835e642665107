package peer

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// complete fills in what was left to its default.
func (c *Config) complete() error {
	if c.Role == "" {
		c.Role = RoleNode
	}
	if c.Self.Protocol == 0 {
		c.Self.Protocol = Protocol
	}
	if c.Self.MinProtocol == 0 {
		c.Self.MinProtocol = MinProtocol
	}
	switch {
	case c.Role != RoleNode && c.Role != RoleClient:
		return fmt.Errorf("no role %q: %w", c.Role, messages.Invalid)
	case c.Cluster == "" || c.Self.Name == "":
		return fmt.Errorf("a cluster id and a name are needed: %w", messages.Invalid)
	case c.Role == RoleNode && c.Self.ID == "":
		return fmt.Errorf("a member id is needed: %w", messages.Invalid)
	case c.Handler == nil && c.Role == RoleNode:
		return fmt.Errorf("a handler is needed: %w", messages.Invalid)
	}
	if c.Silence < tick {
		c.Silence = tick * deadTicks
	}
	if c.Dial == nil {
		c.Dial = (&netDialer{}).dial
	}
	return nil
}

// handshake is how long it may take from dialling to Hello, if bytes come at all.
func (c *Config) handshake() time.Duration { return max(handshakeTimeout, c.Silence) }

type netDialer struct{ net.Dialer }

func (d *netDialer) dial(ctx context.Context, address string) (net.Conn, error) {
	return d.DialContext(ctx, "tcp", address)
}

// loopback refuses an address of the network for plain text.
func loopback(a net.Addr) error {
	tcp, ok := a.(*net.TCPAddr)
	if ok && !tcp.IP.IsLoopback() {
		return fmt.Errorf("plain text is for loopback only, and %v is not: make certificates with `troupe cluster init`: %w", a, messages.Invalid)
	}
	return nil
}

// traffic counts the bytes of connections.
type traffic struct{ read, written atomic.Uint64 }

// meter is a connection that counts.
type meter struct {
	net.Conn
	count  *traffic
	closed func() // once; may be nil
	once   atomic.Bool
}

// Read is net.Conn's.
func (m *meter) Read(p []byte) (int, error) {
	n, err := m.Conn.Read(p)
	m.count.read.Add(uint64(n))
	return n, err
}

// Write is net.Conn's.
func (m *meter) Write(p []byte) (int, error) {
	n, err := m.Conn.Write(p)
	m.count.written.Add(uint64(n))
	return n, err
}

// Close is net.Conn's.
func (m *meter) Close() error {
	if m.closed != nil && m.once.CompareAndSwap(false, true) {
		m.closed()
	}
	return m.Conn.Close()
}
