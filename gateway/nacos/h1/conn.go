package h1

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-cloud/troupe/gateway/nacos/begun"
)

// conn is one connection while it is served here.
type conn struct {
	net    net.Conn
	server *Server
	state  atomic.Int32
	remote string
	base   *http.Request // what all requests have in common
	head   bool          // of a request a part has come
	reads  time.Time     // deadlines that are set
	writes time.Time
	out    []byte // answers that are to be written
	wrote  uint64 // how often something was
	answer answer
}

// States of a conn.
const (
	waits int32 = iota
	works
	ended
)

var buffers = sync.Pool{New: func() any { return new([maxHead]byte) }}

// live serves the connection until it ends or is net/http's.
func (c *conn) live() {
	buf := buffers.Get().(*[maxHead]byte)
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), http.LocalAddrContextKey, c.net.LocalAddr()))
	c.remote = c.net.RemoteAddr().String()
	c.base, _ = http.NewRequestWithContext(ctx, http.MethodGet, "/", nil) // both can be read
	c.base.Body, c.base.RemoteAddr = http.NoBody, c.remote
	left, goesOn := c.serve(buf[:])
	if goesOn {
		c.give(left)
	} else {
		_ = c.net.Close()
	}
	cancel()
	buffers.Put(buf)
	c.server.leave(c)
}

// give lets net/http have the connection.
func (c *conn) give(left []byte) {
	_ = c.net.SetDeadline(time.Time{}) // net/http sets its own
	select {
	case c.server.given <- begun.New(c.net, append([]byte(nil), left...)):
	case <-c.server.done:
		_ = c.net.Close()
	}
}

// serve answers requests. What is left is what was read and is not for here, if the
// connection goes on.
func (c *conn) serve(buf []byte) (left []byte, goesOn bool) {
	for {
		c.patience(len(left) > 0)
		have := copy(buf, left)
		n, err := c.net.Read(buf[have:])
		if n == 0 || err != nil || !c.state.CompareAndSwap(waits, works) {
			return nil, false
		}
		left = buf[:have+n]
		now := time.Now()
		for len(left) > 0 && !begins(left) {
			r, size := c.server.parse(left)
			if size == 0 {
				return left, c.flush(now) == nil
			}
			left = left[size:]
			if !c.serveOne(&r, now) || len(c.out) > keptOut && c.flush(now) != nil {
				_ = c.flush(now) // it is closed whether they arrive or not
				return nil, false
			}
		}
		if c.flush(now) != nil {
			return nil, false
		}
		c.state.Store(waits)
		if c.server.closing.Load() {
			return nil, false
		}
	}
}

// patience sets how long is waited: for the next request, or for the rest of one that
// has begun. The first is not set anew for each.
func (c *conn) patience(begun bool) {
	now := time.Now()
	if begun {
		if c.head {
			return // since the first piece
		}
		c.head, c.reads = true, time.Time{}
		_ = c.net.SetReadDeadline(now.Add(c.server.cfg.HeadTime))
		return
	}
	c.head = false
	if idle := c.server.cfg.IdleTime; c.reads.Sub(now) < idle {
		c.reads = now.Add(idle + idle/4)
		_ = c.net.SetReadDeadline(c.reads)
	}
}

// serveOne has a request answered; false: the connection is to end.
func (c *conn) serveOne(r *request, now time.Time) bool {
	full := *c.base
	full.URL = &url.URL{Path: r.path, RawQuery: r.query}
	full.Header, full.Host, full.RequestURI = r.header, r.host, r.target
	a := &c.answer
	a.begin(c, now)
	return c.handle(&full) && a.finish()
}

// handle calls the handler. One that panics has answered nothing.
func (c *conn) handle(r *http.Request) (ok bool) {
	before, wrote := len(c.out), c.wrote
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if c.wrote != wrote {
			before = 0 // what stood before has gone
		}
		c.out = c.out[:before]
		if err, is := p.(error); !is || !errors.Is(err, http.ErrAbortHandler) {
			c.server.cfg.Log.Error().Any("panic", p).Bytes("stack", debug.Stack()).Str("client", c.remote).Msg("a handler panicked")
		}
	}()
	c.server.cfg.Handler.ServeHTTP(&c.answer, r)
	return true
}

// flush writes what is to be written.
func (c *conn) flush(now time.Time) error {
	if len(c.out) == 0 {
		return nil
	}
	err := c.write(now, c.out)
	if c.out = c.out[:0]; cap(c.out) > keptOut {
		c.out = nil
	}
	return err
}

func (c *conn) write(now time.Time, b []byte) error {
	if limit := c.server.cfg.WriteTime; c.writes.Sub(now) < limit {
		c.writes = now.Add(limit + limit/4)
		_ = c.net.SetWriteDeadline(c.writes)
	}
	c.wrote++
	_, err := c.net.Write(b)
	return err
}

// closeIdle ends the connection if no request is under way on it; else it ends after
// that one.
func (c *conn) closeIdle() {
	if c.state.CompareAndSwap(waits, ended) {
		_ = c.net.Close()
	}
}
