package proxy

import (
	"context"
	"net"
	"time"

	"github.com/troupe-cloud/troupe/drivers"
)

// guarded dials by d, and bounds for how long a connection may be silent.
func guarded(d drivers.Dial) drivers.Dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &conn{Conn: c}, nil
	}
}

// conn is a connection to an endpoint that has to go on taking and giving. One that
// is upgraded too: peers of WebSocket ping each other more often.
type conn struct {
	net.Conn
	reads, writes time.Time // until when
}

// Read is net.Conn's.
func (c *conn) Read(p []byte) (int, error) {
	if now := time.Now(); c.reads.Sub(now) < silentTime/2 {
		c.reads = now.Add(silentTime)
		if err := c.SetReadDeadline(c.reads); err != nil {
			return 0, err
		}
	}
	return c.Conn.Read(p)
}

// Write is net.Conn's.
func (c *conn) Write(p []byte) (int, error) {
	if now := time.Now(); c.writes.Sub(now) < stallTime/2 {
		c.writes = now.Add(stallTime)
		if err := c.SetWriteDeadline(c.writes); err != nil {
			return 0, err
		}
	}
	return c.Conn.Write(p)
}
