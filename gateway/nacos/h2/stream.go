package h2

import (
	"encoding/binary"
	"sync"
)

// stream is one call. Its input belongs to the reading goroutine, the rest is under
// conn.mu.
type stream struct {
	id     uint32
	conn   *conn
	kind   Kind
	sender *Sender // of a Stream

	in     *message // what has come of the message; nil: nothing
	credit int      // bytes that the client may still send
	done   bool     // a unary call has its message, or the client said all

	window   int
	pending  []byte        // waits for a window
	last     bool          // trailers follow pending
	room     chan struct{} // closed when pending is empty; nil: nobody waits
	answered bool          // the response has begun
	ended    bool
}

// message is one that is being received: five bytes in front of it say how long it
// is, and whether it is compressed.
type message struct{ b []byte }

const (
	prefix      = 5
	keptMessage = 16 << 10
)

var inputs = sync.Pool{New: func() any { return &message{b: make([]byte, 0, 1<<10)} }}

func (m *message) free() {
	if cap(m.b) <= keptMessage {
		m.b = m.b[:0]
		inputs.Put(m)
	}
}

// data takes what a client sends in a call.
func (c *conn) data(f head, payload []byte) error {
	if f.stream == 0 {
		return errProtocol
	}
	c.pings = 0 // clients measure with pings as they receive and send
	c.mu.Lock()
	s := c.streams[f.stream]
	c.mu.Unlock()
	if c.taken += len(payload); c.taken >= connWindow/2 {
		c.mu.Lock()
		c.out = appendWindow(c.out, 0, c.taken)
		c.taken = 0
		c.flush()
	}
	if s == nil || s.done {
		return nil // of a call that is over
	}
	size := len(payload)
	payload, err := unpad(f, payload)
	if err != nil {
		return err
	}
	if s.credit -= size; s.credit < 0 {
		return errProtocol
	}
	if err := c.collect(s, payload); err != nil {
		return err
	}
	if f.flags&flagEndStream != 0 {
		return c.half(s)
	}
	if s.credit < streamWindow/2 && !s.done {
		c.mu.Lock()
		c.out = appendWindow(c.out, s.id, streamWindow-s.credit)
		s.credit = streamWindow
		c.flush()
	}
	return nil
}

// collect adds to the message of a call, and hands on those of a stream that are
// complete.
func (c *conn) collect(s *stream, payload []byte) error {
	for len(payload) > 0 && !s.done {
		if s.in == nil {
			s.in = inputs.Get().(*message)
		}
		need := prefix
		if len(s.in.b) >= prefix {
			need = prefix + int(binary.BigEndian.Uint32(s.in.b[1:]))
		}
		n := min(need-len(s.in.b), len(payload))
		s.in.b = append(s.in.b, payload[:n]...)
		c.unready += n
		payload = payload[n:]
		if len(s.in.b) < need {
			if c.cfg.MaxBuffered > 0 && c.unready > c.cfg.MaxBuffered {
				c.refuse(s, statusExhausted, "too many messages at once")
			}
			continue
		}
		if need == prefix {
			if why, code := c.judge(s.in.b); why != "" {
				c.refuse(s, code, why)
				continue
			}
			if binary.BigEndian.Uint32(s.in.b[1:]) > 0 {
				continue
			}
		}
		if s.kind == Stream {
			if !c.deliver(s) {
				return nil
			}
		} else if len(payload) > 0 {
			c.refuse(s, statusInternal, "a call has one message")
		}
	}
	return nil
}

// judge says what is wrong with a message of that prefix.
func (c *conn) judge(p []byte) (why string, code int) {
	switch {
	case p[0] != 0:
		return "compression is not offered", statusUnimplemented
	case c.cfg.MaxMessage > 0 && binary.BigEndian.Uint32(p[1:]) > uint32(c.cfg.MaxMessage):
		return "the message is too large", statusExhausted
	}
	return "", 0
}

// deliver hands on a message of a stream; false: the stream is to end.
func (c *conn) deliver(s *stream) bool {
	in := s.in
	s.in = nil
	c.unready -= len(in.b)
	err := c.peer.Message(s.sender, in.b[prefix:])
	in.free()
	if err != nil {
		c.refuse(s, statusInvalid, err.Error())
	}
	return err == nil
}

// refuse ends a call with an error.
func (c *conn) refuse(s *stream, code int, why string) {
	if len(why) > 100 {
		why = why[:100]
	}
	c.mu.Lock()
	if s.answered {
		c.out = appendFailure(c.out, s.id, code, why)
	} else {
		c.out = appendStatus(c.out, s.id, code, why)
	}
	c.out = appendReset(c.out, s.id, codeNoError)
	c.flush()
	c.end(s)
}

// half is called when a client has said all of a call.
func (c *conn) half(s *stream) error {
	if s.done {
		return nil
	}
	if s.kind == Stream {
		c.mu.Lock()
		c.out = appendTrailers(c.out, s.id)
		c.flush()
		c.end(s)
		return nil
	}
	in := s.in
	if in == nil || len(in.b) < prefix || len(in.b) != prefix+int(binary.BigEndian.Uint32(in.b[1:])) {
		c.refuse(s, statusInternal, "a call has one message")
		return nil
	}
	s.done, s.in = true, nil
	c.unready -= len(in.b)
	c.mu.Lock()
	c.calls++
	c.mu.Unlock()
	c.gather(job{s: s, in: in})
	return nil
}

// end forgets a call. It can be called more than once.
func (c *conn) end(s *stream) {
	s.done = true
	if s.in != nil {
		c.unready -= len(s.in.b)
		s.in = nil
	}
	c.mu.Lock()
	told := c.over(s)
	c.mu.Unlock()
	if told {
		c.peer.Ended(s.sender)
	}
}

// over forgets a call; true if its user is to be told. Called under c.mu.
func (c *conn) over(s *stream) bool {
	if s.ended {
		return false
	}
	s.ended = true
	delete(c.streams, s.id)
	c.waiting -= len(s.pending)
	s.pending = nil
	if s.room != nil {
		close(s.room)
		s.room = nil
	}
	return s.sender != nil
}
