package balancer

import "time"

// Result is what a call says of the server that it went to.
type Result int

// Results.
const (
	OK          Result = iota
	Failed             // it answered badly, e.g. with a status of 500 or more
	Unreachable        // the connection failed, or there was no answer in time
	Refused            // nobody listens there
	Abandoned          // the caller gave up: it says nothing
)

// Call is one call under way.
type Call struct {
	Server *Server
	b      *Balancer
	began  int64
}

// Begin counts a call to s as under way. It has to be ended, once.
func (b *Balancer) Begin(s *Server) Call {
	now := b.noted()
	s.begin(now)
	s.zone.Add(1)
	return Call{s, b, now}
}

// End says what became of the call.
func (c Call) End(r Result) {
	now := c.b.now()
	c.end(r, now-c.began, now)
}

// end says what has now become of the call, which was answered after took
// nanoseconds.
func (c Call) end(r Result, took, now int64) {
	s := c.Server
	s.zone.Add(-1)
	answered := r == OK || r == Failed
	s.end(now, time.Duration(took), answered)
	if answered {
		c.b.times.add(time.Duration(took))
	}
	switch r {
	case OK:
		c.b.succeeded(s, now)
		if s.badAnswers.Load() != 0 {
			s.badAnswers.Store(0)
		}
	case Failed:
		c.b.succeeded(s, now) // as far as connections go
		s.failed.Add(1)
		s.intervalFails.Add(1)
		if n := c.b.outliers.Consecutive; n > 0 && s.badAnswers.Add(1) >= int64(n) {
			c.b.strike(s, now)
		}
	case Unreachable, Refused:
		s.failed.Add(1)
		s.intervalFails.Add(1)
		c.b.unreached(s, now, r == Refused)
	case Abandoned:
		s.trial.Store(0)
	}
}

// succeeded closes the circuit of a server that was reached.
func (b *Balancer) succeeded(s *Server, now int64) {
	if s.successive.Load() != 0 {
		s.successive.Store(0)
	}
	if s.tripped.Load() == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.tripped.Swap(0) != 0 {
		s.trial.Store(0)
		s.healed.Store(now)
		b.rebuild(now)
	}
}

// unreached counts a connection failure, and opens the circuit if it is time.
func (b *Balancer) unreached(s *Server, now int64, refused bool) {
	n := min(s.successive.Add(1), maxFailures)
	d := b.circuit.After(int(n), refused)
	if d <= 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	s.trial.Store(0)
	before := s.tripped.Load()
	s.tripped.Store(max(now+int64(d), before))
	if before <= now && !b.closed {
		b.rebuild(now)
	}
}

// strike ejects a server that has answered badly too often in a row.
func (b *Balancer) strike(s *Server, now int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed && b.eject(s, now) {
		b.rebuild(now)
	}
}
