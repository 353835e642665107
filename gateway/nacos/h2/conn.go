package h2

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"
)

// conn is one connection. What is not under mu belongs to its reading goroutine.
type conn struct {
	net    net.Conn
	peer   Peer
	server *Server
	cfg    *Config

	in      input
	headers *hpack.Decoder
	fields  fields
	block   []byte // of headers that go on in the next frame
	blockID uint32
	blockEnd,
	blockOpen bool
	lastID  uint32
	taken   int // bytes of data that were taken and not given back to the window yet
	unready int // bytes of messages that are not complete
	since   time.Time
	pings   int
	resets  int
	batch   *batch // calls that are complete, to be worked on

	mu       sync.Mutex
	idle     sync.Cond // there is less to be written
	out      []byte
	flushing bool
	yielding bool // somebody is about to flush
	err      error
	streams  map[uint32]*stream
	deadline time.Time // of writing
	calls    int       // under way, also of streams that have ended
	waiting  int       // bytes of answers that wait for a window
	window   int       // bytes that may be sent
	initial  int       // window of new streams
}

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

var (
	errProtocol = errors.New("this is not HTTP/2 as it should be")
	errFlood    = errors.New("the client sends too much of nothing")
)

func newConn(nc net.Conn, p Peer, s *Server) *conn {
	c := &conn{net: nc, peer: p, server: s, cfg: &s.cfg, streams: map[uint32]*stream{}, window: 65535, initial: 65535}
	c.idle.L = &c.mu
	c.in.conn = nc
	c.headers = hpack.NewDecoder(headerTable, c.fields.take)
	c.headers.SetMaxStringLength(maxHeaderText)
	return c
}

// read takes frames until something ends the connection.
func (c *conn) read() error {
	first, err := c.in.next(len(preface))
	if err != nil {
		return err
	}
	if !bytes.Equal(first, []byte(preface)) {
		return errProtocol
	}
	c.mu.Lock()
	c.out = appendSettings(c.out, c.cfg.MaxCalls)
	c.out = appendWindow(c.out, 0, connWindow-65535)
	c.flush()
	for {
		if !c.in.has(frameHead) {
			c.submit()
		}
		head, err := c.in.next(frameHead)
		if err != nil {
			return err
		}
		f := parseHead(head)
		if f.length > maxFrame {
			return errProtocol
		}
		if c.blockOpen && (f.kind != frameContinuation || f.stream != c.blockID) {
			return errProtocol
		}
		if !c.in.has(f.length) {
			c.submit()
		}
		payload, err := c.in.next(f.length)
		if err != nil {
			return err
		}
		if err := c.frame(f, payload); err != nil {
			return err
		}
		c.hold()
	}
}

// hold waits while too much is to be written.
func (c *conn) hold() {
	c.mu.Lock()
	if len(c.out) <= maxOut {
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	c.submit()
	c.mu.Lock()
	for len(c.out) > maxOut && c.err == nil {
		c.idle.Wait()
	}
	c.mu.Unlock()
}

// frame takes one frame.
func (c *conn) frame(f head, payload []byte) error {
	switch f.kind {
	case frameData:
		return c.data(f, payload)
	case frameHeaders:
		return c.begin(f, payload)
	case frameContinuation:
		return c.more(f, payload)
	case frameReset:
		return c.reset(f, payload)
	case frameSettings:
		return c.settings(f, payload)
	case framePing:
		return c.ping(f, payload)
	case frameWindow:
		return c.widen(f, payload)
	case framePush:
		return errProtocol
	}
	return nil // priorities, goodbyes, and what is not known
}

// reset takes a call back.
func (c *conn) reset(f head, payload []byte) error {
	if len(payload) != 4 || f.stream == 0 {
		return errProtocol
	}
	if err := c.count(&c.resets, maxResets); err != nil {
		return err
	}
	c.mu.Lock()
	s := c.streams[f.stream]
	c.mu.Unlock()
	if s != nil {
		c.end(s)
	}
	return nil
}

// settings takes what the client wants, and says so.
func (c *conn) settings(f head, payload []byte) error {
	if f.flags&flagAck != 0 {
		return nil
	}
	if len(payload)%6 != 0 || f.stream != 0 {
		return errProtocol
	}
	if err := c.count(&c.pings, maxPings); err != nil {
		return err
	}
	c.mu.Lock()
	for ; len(payload) > 0; payload = payload[6:] {
		value := binary.BigEndian.Uint32(payload[2:])
		if binary.BigEndian.Uint16(payload) != settingWindow {
			continue
		}
		if value > maxWindow {
			c.mu.Unlock()
			return errProtocol
		}
		for _, s := range c.streams {
			s.window += int(value) - c.initial
			c.pump(s)
		}
		c.initial = int(value)
	}
	c.out = append(c.out, 0, 0, 0, frameSettings, flagAck, 0, 0, 0, 0)
	c.flush()
	return nil
}

// ping answers a ping.
func (c *conn) ping(f head, payload []byte) error {
	if len(payload) != 8 || f.stream != 0 {
		return errProtocol
	}
	if f.flags&flagAck != 0 {
		return nil
	}
	if err := c.count(&c.pings, maxPings); err != nil {
		return err
	}
	c.mu.Lock()
	c.out = append(c.out, 0, 0, 8, framePing, flagAck, 0, 0, 0, 0)
	c.out = append(c.out, payload...)
	c.flush()
	return nil
}

// count bounds what costs us something and the client nothing.
func (c *conn) count(n *int, limit int) error {
	if now := time.Now(); now.Sub(c.since) > pingTime {
		c.since, c.pings, c.resets = now, 0, 0
	}
	if *n++; *n > limit {
		return errFlood
	}
	return nil
}

// widen lets us send more.
func (c *conn) widen(f head, payload []byte) error {
	if len(payload) != 4 {
		return errProtocol
	}
	more := int(binary.BigEndian.Uint32(payload) & maxWindow)
	c.mu.Lock()
	if f.stream == 0 {
		if c.window += more; more == 0 || c.window > maxWindow {
			c.mu.Unlock()
			return errProtocol
		}
		for _, s := range c.streams {
			c.pump(s)
		}
	} else if s := c.streams[f.stream]; s != nil {
		if s.window += more; s.window > maxWindow {
			c.mu.Unlock()
			return errProtocol
		}
		c.pump(s)
	}
	c.flush()
	return nil
}
