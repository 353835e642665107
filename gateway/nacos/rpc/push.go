package rpc

import "time"

// pushable is something that a client is told, again and again until it says that
// it has heard.
type pushable interface {
	// next is what to send now, and the number under which it is acknowledged (0: it
	// is not); nil: nothing any more. It is called under the connection's lock.
	next() (number uint64, raw []byte)
	// wait is how long an acknowledgement may take; again after how long the push
	// is repeated if it did not come so many times; false: not any more.
	wait() time.Duration
	again(tries int) (time.Duration, bool)
}

// push is the state of a pushable; all under the lock of its connection.
type push struct {
	what    pushable
	queued  bool
	gone    bool
	pending uint64 // the number that is not acknowledged yet
	tries   int    // that were not, one after the other
}

// enqueue has a push sent; once, however often it is called before that. Called
// under c.mu.
func (c *conn) enqueue(p *push) {
	if c.ended || c.stream == nil || p.gone || p.queued {
		return
	}
	p.queued = true
	c.queue = append(c.queue, p)
	if !c.sending {
		c.sending = true
		c.server.pushers.ready(c)
	}
}

// forget ends a push. Called under c.mu.
func (c *conn) forget(p *push) {
	p.gone = true
	c.unheard.drop(p)
}

// drain sends what is queued. One worker at a time does.
func (c *conn) drain() {
	for {
		raw, p, number := c.take()
		if p == nil {
			return
		}
		c.writing.Store(c.server.now())
		err := c.stream.Send(raw)
		c.writing.Store(0)
		if err != nil {
			c.kill()
			continue
		}
		if number != 0 {
			c.server.wheel.add(p.what.wait(), due{c, p, number})
		}
	}
}

// take is the next thing to be sent; none: the worker is to go.
func (c *conn) take() (raw []byte, p *push, number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.queue) > 0 && !c.ended {
		p = c.queue[0]
		c.queue[0] = nil
		if c.queue = c.queue[1:]; len(c.queue) == 0 {
			c.queue = nil
		}
		p.queued = false
		if p.gone {
			continue
		}
		if number, raw = p.what.next(); raw == nil {
			continue
		}
		c.unheard.drop(p)
		if p.pending = number; number != 0 {
			c.unheard.add(p)
		}
		return raw, p, number
	}
	c.sending = false
	return nil, nil, 0
}

// acknowledged notes that the client has heard.
func (c *conn) acknowledged(number uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.unheard.find(number)
	if p == nil {
		return
	}
	c.unheard.drop(p)
	p.tries = 0
	if next, more := p.what.(*pattern); more {
		next.heard()
	}
}

// note is a push of one message that is not repeated.
type note struct {
	push
	raw []byte
}

func (n *note) next() (uint64, []byte)          { return 0, n.raw }
func (n *note) wait() time.Duration             { return 0 }
func (n *note) again(int) (time.Duration, bool) { return 0, false }

// say sends one message that nobody repeats.
func (c *conn) say(kind string, body []byte) {
	n := &note{raw: pack(kind, body)}
	n.what = n
	c.mu.Lock()
	defer c.mu.Unlock()
	c.enqueue(&n.push)
}
