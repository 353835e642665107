// Package begun owns connections of which somebody has read the beginning to find out
// whose they are. It knows nothing of what is spoken on them.
package begun

import "net"

// New is c, from which first was read: its readers get that first.
func New(c net.Conn, first []byte) net.Conn { return &conn{c, first} }

type conn struct {
	net.Conn
	first []byte
}

// Read is net.Conn's.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.first) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.first)
	if c.first = c.first[n:]; len(c.first) == 0 {
		c.first = nil
	}
	return n, nil
}
