package consul

import (
	"context"
	"fmt"
	"time"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

// Commit is store.Store's. A ctx that ends while the transaction waits or is
// under way leaves the outcome unknown.
func (s *Store) Commit(ctx context.Context, txn store.Txn) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("commit: %w: %w", err, messages.Unavailable)
	}
	type outcome struct {
		revision uint64
		err      error
	}
	answer := make(chan outcome, 1)
	s.Submit(txn, func(revision uint64, err error) { answer <- outcome{revision, err} })
	select {
	case o := <-answer:
		return o.revision, o.err
	case <-ctx.Done():
		return 0, fmt.Errorf("commit: %w: %w", ctx.Err(), store.ErrUnknown)
	}
}

// Submit is store.Submitter's. The largest transaction is the contract's; but
// one of more operations than Consul takes (62, or 126) or 400 KiB may check at most maxLargeChecks
// keys, all of which it must write.
func (s *Store) Submit(txn store.Txn, done func(revision uint64, err error)) {
	if err := store.CheckTxn(txn); err != nil {
		done(0, err)
		return
	}
	r := s.newRequest(txn, done)
	if r == nil {
		done(0, store.ErrStale)
		return
	}
	if payload := s.payload(); r.large(payload) {
		if err := r.checkLarge(payload); err != nil {
			done(0, err)
			return
		}
	} else {
		s.build(r)
	}
	s.mu.RLock()
	if s.closed {
		s.mu.RUnlock()
		done(0, store.ErrClosed)
		return
	}
	s.queue <- r
	s.mu.RUnlock()
}

const (
	// partial is how many transactions may be under way for another to go out that is
	// not full; one more, when nobody was answered and nothing sent for slowAnswer.
	partial    = 1
	slowAnswer = 250 * time.Millisecond
)

// scheduler is the state of the one goroutine that decides what goes out next.
// Requests that touch the same key go out in the order in which they came, the
// next one after the one before is answered. It packs what is ready whenever a
// lane is free; but a transaction that is not full waits while `partial` others
// are under way, for a transaction costs Consul as much as thirty operations: with
// two instead of one, a third more went out under load.
type scheduler struct {
	s       *Store
	holders map[string][]*request // by key; the first holds it, the others wait
	ready   []*request
	waiting []*request // by deadline: all that have not been started
	out     int        // on lanes
	since   time.Time  // when one was last sent or answered
}

func (s *Store) schedule() {
	defer close(s.drained)
	c := &scheduler{s: s, holders: map[string][]*request{}}
	queue := s.queue
	expiry := time.NewTimer(0)
	defer expiry.Stop()
	for queue != nil || c.out > 0 || len(c.ready) > 0 {
		var lanes chan *lane
		if c.goes(time.Now()) {
			lanes = s.lanes
		}
		select {
		case r, open := <-queue:
			if !open {
				queue = nil
				continue
			}
			c.admit(r)
		case l := <-lanes:
			queue = c.fill(queue)
			c.dispatch(l)
		case done := <-s.landed:
			c.out, c.since = c.out-1, time.Now()
			for _, r := range done {
				c.release(r)
			}
		case <-expiry.C:
		}
		c.expire(expiry)
	}
}

// goes says whether a transaction should go out.
func (c *scheduler) goes(now time.Time) bool {
	switch {
	case len(c.ready) == 0:
		return false
	case c.out < partial || len(c.ready) >= c.s.payload():
		return true
	}
	return now.Sub(c.since) >= slowAnswer
}

// fill takes what has been submitted meanwhile.
func (c *scheduler) fill(queue chan *request) chan *request {
	for len(c.ready) < c.s.ops() {
		select {
		case r, open := <-queue:
			if !open {
				return nil
			}
			c.admit(r)
		default:
			return queue
		}
	}
	return queue
}

func (c *scheduler) admit(r *request) {
	for _, k := range r.keys {
		if c.holders[k] = append(c.holders[k], r); len(c.holders[k]) > 1 {
			r.blocked++
		}
	}
	c.waiting = append(c.waiting, r)
	if r.blocked == 0 {
		c.ready = append(c.ready, r)
	}
}

// release lets those go on that waited for r's keys.
func (c *scheduler) release(r *request) {
	for _, k := range r.keys {
		rest := c.holders[k][1:]
		if len(rest) == 0 {
			delete(c.holders, k)
			continue
		}
		c.holders[k] = rest
		if rest[0].blocked--; rest[0].blocked == 0 {
			c.ready = append(c.ready, rest[0])
		}
	}
}

// dispatch sends what fits into one transaction, or one large request.
func (c *scheduler) dispatch(l *lane) {
	var batch []*request
	payload, ops, body, taken := c.s.payload(), 0, 0, 0
	for _, r := range c.ready {
		if r.answered {
			taken++
			c.release(r)
			continue
		}
		if len(batch) > 0 && (r.ops == nil || ops+len(r.ops) > payload || body+r.body > maxBody) {
			break
		}
		taken++
		r.started = true
		batch = append(batch, r)
		ops, body = ops+len(r.ops), body+r.body
		if r.ops == nil {
			break
		}
	}
	clear(c.ready[:taken])
	c.ready = c.ready[taken:]
	if len(batch) == 0 {
		c.s.lanes <- l
		return
	}
	c.out, c.since = c.out+1, time.Now()
	if batch[0].ops == nil {
		go c.s.large(l, batch[0])
		return
	}
	go c.s.deliver(l, batch)
}

// expire answers those whose patience has ended before they were sent, and sets the
// timer for what comes next.
func (c *scheduler) expire(timer *time.Timer) {
	now, n := time.Now(), 0
	for _, r := range c.waiting {
		if !r.started && !r.answered && r.deadline.After(now) {
			break
		}
		if n++; !r.started {
			r.answered = true
			r.done(0, fmt.Errorf("no commit was taken by Consul for %v: %w", c.s.config.Patience, store.ErrUndecided))
		}
	}
	clear(c.waiting[:n])
	c.waiting = c.waiting[n:]
	if len(c.waiting) == 0 {
		return
	}
	next := c.waiting[0].deadline
	if slow := c.since.Add(slowAnswer); len(c.ready) > 0 && slow.After(now) && slow.Before(next) {
		next = slow
	}
	timer.Reset(next.Sub(now))
}
