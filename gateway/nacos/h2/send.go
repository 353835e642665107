package h2

import (
	"encoding/binary"
	"runtime"
	"time"
)

// flush writes what is to be written, or leaves it to who is writing already, so
// that the answers of many calls go together. Called under c.mu, which it unlocks.
func (c *conn) flush() {
	if c.flushing || len(c.out) == 0 || c.err != nil {
		c.mu.Unlock()
		return
	}
	c.flushing = true
	for len(c.out) > 0 && c.err == nil {
		b := c.out
		c.out = nil
		c.mu.Unlock()
		c.extend()
		_, err := c.net.Write(b)
		c.mu.Lock()
		if cap(b) == bigBuffer {
			bigBuffers.Put((*[bigBuffer]byte)(b[:bigBuffer]))
		}
		if err != nil {
			c.err = err
			_ = c.net.Close() // the reader sees it
		}
		c.idle.Broadcast()
	}
	c.flushing = false
	c.mu.Unlock()
}

// room has what is to be written begin in one of the buffers that all connections
// share: who is idle has none, and a change that thousands hear of makes little
// garbage. Called under c.mu, before something is appended.
func (c *conn) room() {
	if c.out == nil {
		c.out = bigBuffers.Get().(*[bigBuffer]byte)[:0]
	}
}

// extend moves the deadline of writing on, not at every write.
func (c *conn) extend() {
	if c.cfg.WriteTime <= 0 {
		return
	}
	now := time.Now()
	if next := now.Add(c.cfg.WriteTime); next.Sub(c.deadline) > c.cfg.WriteTime/4 {
		c.deadline = next
		_ = c.net.SetWriteDeadline(next)
	}
}

// message appends a message to what is sent in a call. Called under c.mu.
func (c *conn) message(s *stream, m []byte, last bool) {
	var p [prefix]byte
	binary.BigEndian.PutUint32(p[1:], uint32(len(m)))
	n := prefix + len(m)
	if len(s.pending) == 0 && n <= maxFrame && n <= s.window && n <= c.window {
		c.room()
		c.out = appendHead(c.out, n, frameData, 0, s.id)
		c.out = append(append(c.out, p[:]...), m...)
		s.window -= n
		c.window -= n
		if last {
			c.out = appendTrailers(c.out, s.id)
			c.over(s)
		}
		return
	}
	s.pending = append(append(s.pending, p[:]...), m...)
	s.last = last
	c.waiting += n
	c.pump(s)
}

// pump sends as much of what waits as the client allows. Called under c.mu.
func (c *conn) pump(s *stream) {
	if len(s.pending) == 0 {
		return
	}
	for len(s.pending) > 0 {
		n := min(len(s.pending), maxFrame, s.window, c.window)
		if n <= 0 {
			return
		}
		c.room()
		c.out = appendHead(c.out, n, frameData, 0, s.id)
		c.out = append(c.out, s.pending[:n]...)
		s.pending = s.pending[n:]
		c.waiting -= n
		s.window -= n
		c.window -= n
	}
	s.pending = nil
	if s.last {
		c.out = appendTrailers(c.out, s.id)
		c.over(s)
	} else if s.room != nil {
		close(s.room)
		s.room = nil
	}
}

// answer sends the answer of a unary call. Those of others that are just ready go
// with it.
func (c *conn) answer(s *stream, r Reply) {
	c.put(s, r)
	c.mu.Lock()
	if c.yielding {
		c.mu.Unlock()
		return
	}
	if c.calls > 0 && !c.flushing {
		c.yielding = true
		c.mu.Unlock()
		runtime.Gosched()
		c.mu.Lock()
		c.yielding = false
	}
	c.flush()
}

// put appends the answer of a unary call to what is to be written.
func (c *conn) put(s *stream, r Reply) {
	c.mu.Lock()
	c.calls--
	if !s.ended && c.err == nil {
		c.room()
		c.out = appendResponse(c.out, s.id)
		c.message(s, r.Bytes(), true)
	}
	c.mu.Unlock()
	r.Free()
}

// fail notes why the connection ends, and tells the client.
func (c *conn) fail(err error) {
	code := uint32(codeNoError)
	switch err {
	case errProtocol:
		code = codeProtocol
	case errFlood:
		code = codeFlood
	}
	c.mu.Lock()
	c.out = appendGoAway(c.out, c.lastID, code)
	c.flush()
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	c.mu.Unlock()
}

// finish ends what is left of a connection that is closed.
func (c *conn) finish() {
	c.in.close()
	c.mu.Lock()
	left := make([]*stream, 0, len(c.streams))
	for _, s := range c.streams {
		left = append(left, s)
	}
	c.mu.Unlock()
	for _, s := range left {
		c.end(s)
	}
}

// Sender is the sending side of a stream.
type Sender struct{ stream *stream }

// Send sends a message, and waits until all but what is on its way has been taken
// by the client; errors: ErrEnded, or that the client does not read. One goroutine
// at a time may call it; m is not needed afterwards.
func (s *Sender) Send(m []byte) error {
	st := s.stream
	c := st.conn
	c.mu.Lock()
	if st.ended || c.err != nil {
		c.mu.Unlock()
		return ErrEnded
	}
	c.message(st, m, false)
	var room chan struct{}
	if len(st.pending) > 0 {
		room = make(chan struct{})
		st.room = room
	}
	c.flush()
	if room == nil {
		return nil
	}
	if c.cfg.WriteTime <= 0 {
		<-room
		return nil
	}
	timer := time.NewTimer(c.cfg.WriteTime)
	defer timer.Stop()
	select {
	case <-room:
		return nil
	case <-timer.C:
		return errSlow
	}
}
