package peer

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// link is the stream to one member, and what waits for it. It dials when there
// is something to send, and never on its own account.
type link struct {
	d   *Dialer
	to  view.Member
	log zerolog.Logger

	wake  chan struct{}
	ids   atomic.Uint64
	count traffic
	tally tally
	noted string // the last failure that was logged

	mu       sync.Mutex
	out      outbox
	calls    map[uint64]*call
	state    state
	cancel   context.CancelCauseFunc // of the attempt or stream
	attempt  int                     // counts them
	fails    int
	retryAt  time.Time
	failure  error // why the last attempt failed
	watching bool
	silent   int    // ticks without a byte
	heard    uint64 // count.read at the last tick
}

type state uint8

const (
	idle    state = iota
	dialing       // the queue waits for the outcome
	up
	away   // the other end wants no more
	closed // for good
)

// call is somebody who waits. Guarded by its link's mutex.
type call struct {
	id    uint64
	reply func(*messages.Reply, error)
	pong  func(*messages.Pong, error)
	tell  bool // over once it is given to the stream
	sent  bool
	ended bool
	at    time.Time
	timer *time.Timer
}

func (c *call) fail(err error) {
	switch {
	case c == nil:
	case c.pong != nil:
		c.pong(nil, err)
	case c.reply != nil:
		c.reply(nil, err)
	}
}

func newLink(d *Dialer, to view.Member) *link {
	log := d.c.Log.With().Str("peer", to.Name).Str("address", to.Address).Logger()
	return &link{d: d, to: to, log: log, wake: make(chan struct{}, 1), calls: map[uint64]*call{}}
}

// wrap says of which member err is.
func (l *link) wrap(err error) error {
	if l.to.Name == "" {
		return fmt.Errorf("%s: %w", l.to.Address, err)
	}
	return fmt.Errorf("member %s at %s: %w", l.to.Name, l.to.Address, err)
}

// send queues a frame. c, if not nil, will end exactly once, on another goroutine.
// fresh tries to dial even shortly after a failure.
func (l *link) send(f *messages.Frame, c *call, deadline time.Time, fresh bool) {
	if c != nil {
		c.id = l.ids.Add(1)
		f.Id = c.id
	}
	data, err := encode(f)
	if err == nil {
		err = l.queue(item{data, c}, f, deadline, fresh)
	}
	if err == nil {
		l.nudge()
		return
	}
	l.tally.refused.Add(1)
	if c != nil {
		c.ended = true // nobody else has it yet
		go c.fail(l.wrap(err))
	}
}

func (l *link) queue(it item, f *messages.Frame, deadline time.Time, fresh bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.state == closed:
		return ErrStopped
	case l.state == away:
		return l.failure
	case l.state == idle && !fresh && time.Now().Before(l.retryAt):
		return l.failure
	case len(l.calls) >= maxUnanswered:
		return ErrBusy
	}
	urgent := f.GetPing() != nil
	if urgent && !l.out.putUrgent(it) || !urgent && !l.out.put(it) {
		return ErrBusy
	}
	if it.call != nil {
		l.calls[it.call.id] = it.call
		it.call.at = time.Now()
		if !it.call.tell {
			it.call.timer = time.AfterFunc(time.Until(deadline), func() { l.expire(it.call) })
		}
	}
	if l.state == idle {
		l.start()
	}
	l.watch()
	return nil
}

// end takes c off the list; false if it had ended. The caller holds mu.
func (l *link) end(c *call) bool {
	if c == nil || c.ended {
		return false
	}
	c.ended = true
	delete(l.calls, c.id)
	if c.timer != nil {
		c.timer.Stop()
	}
	return true
}

func (l *link) expire(c *call) {
	l.mu.Lock()
	ended, sent := l.end(c), c.sent
	l.mu.Unlock()
	if !ended {
		return
	}
	err := ErrTimeout
	if !sent {
		err = fmt.Errorf("it could not be sent in time: %w", ErrUnreachable)
	}
	c.fail(l.wrap(err))
}

// drop ends every call: sent ones with broken, the others with unsent; and
// empties the queue. The caller holds mu, and calls what is returned without it.
func (l *link) drop(broken, unsent error, onlyUnsent bool) func() {
	var failed []*call
	for _, c := range l.calls {
		if onlyUnsent && c.sent {
			continue
		}
		l.end(c)
		failed = append(failed, c)
	}
	l.out = outbox{}
	return func() {
		for _, c := range failed {
			if c.sent {
				c.fail(l.wrap(broken))
			} else {
				c.fail(l.wrap(unsent))
			}
		}
	}
}

// close ends the link for good. What is returned tells those who wait.
func (l *link) close(err error) (fail func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.state = closed
	if l.cancel != nil {
		l.cancel(err)
	}
	return l.drop(fmt.Errorf("%v: %w", err, ErrBroken), err, false)
}

// kick ends the present stream, if there is one; the next Send dials again.
func (l *link) kick(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cancel != nil {
		l.cancel(err)
	}
}
