package rpc

import (
	"sync"
	"time"
)

// spokes is more than the longest time that a push waits, in seconds.
const spokes = 128

// wheel is when to look again after which push: one list for each second to come.
type wheel struct {
	mu    sync.Mutex
	now   int
	lists [spokes][]due
}

// due is a push that was sent as number and may not have been acknowledged by
// then; 0: one that is to be repeated.
type due struct {
	conn   *conn
	push   *push
	number uint64
}

func (w *wheel) add(after time.Duration, d due) {
	seconds := int((after+time.Second-1)/time.Second) + 1
	w.mu.Lock()
	defer w.mu.Unlock()
	at := (w.now + min(seconds, spokes-1)) % spokes
	w.lists[at] = append(w.lists[at], d)
}

// turn moves on by a second.
func (w *wheel) turn(s *Server) {
	w.mu.Lock()
	w.now = (w.now + 1) % spokes
	list := w.lists[w.now]
	w.lists[w.now] = nil
	w.mu.Unlock()
	for _, d := range list {
		if after, again := d.look(); again {
			s.wheel.add(after, due{d.conn, d.push, 0})
		}
	}
}

// look repeats a push whose time has come; or says after how long one that was
// not acknowledged is to be repeated.
func (d due) look() (after time.Duration, again bool) {
	c, p := d.conn, d.push
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended || p.gone:
		return 0, false
	case d.number == 0:
		if p.pending == 0 {
			c.enqueue(p)
		}
		return 0, false
	case p.pending != d.number:
		return 0, false
	}
	c.unheard.drop(p)
	p.tries++
	return p.what.again(p.tries)
}
