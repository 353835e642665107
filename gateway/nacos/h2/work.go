package h2

import "sync"

// job is a call that has its message.
type job struct {
	s    *stream
	in   *message
	call Call // nil: not begun
}

// batch is calls of one connection that came together, and are answered together
// if they can be.
type batch struct {
	conn *conn
	jobs []job
}

var batches = sync.Pool{New: func() any { return &batch{jobs: make([]job, 0, 8)} }}

func newBatch(c *conn, jobs ...job) *batch {
	b := batches.Get().(*batch)
	b.conn, b.jobs = c, append(b.jobs, jobs...)
	return b
}

func (b *batch) free() {
	clear(b.jobs)
	b.conn, b.jobs = nil, b.jobs[:0]
	batches.Put(b)
}

// gather notes a call that has its message, to be worked on with those behind it.
func (c *conn) gather(j job) {
	if c.batch == nil {
		c.batch = newBatch(c)
	}
	if c.batch.jobs = append(c.batch.jobs, j); len(c.batch.jobs) >= maxBatch {
		c.submit()
	}
}

// submit has the calls worked on that have come. It is called before the reader
// waits for more.
func (c *conn) submit() {
	if b := c.batch; b != nil {
		c.batch = nil
		c.server.submit(b)
	}
}

// submit has calls worked on by a goroutine that has worked before, for its stack
// has grown already, or by a new one.
func (s *Server) submit(b *batch) {
	select {
	case s.jobs <- b:
	default:
		go s.work(b)
	}
}

func (s *Server) work(b *batch) {
	for {
		s.run(b)
		select {
		case s.idle <- struct{}{}:
		default:
			return // enough wait
		}
		select {
		case b = <-s.jobs:
			<-s.idle
		case <-s.done:
			return
		}
	}
}

// run answers at once what can be, and sends that together. Of the rest those that
// join are answered in one go; each other call has a goroutine of its own, of all
// that are left the last one this one.
func (s *Server) run(b *batch) {
	c := b.conn
	var slow job
	var joined []job
	quick := 0
	for _, j := range b.jobs {
		if j.call == nil {
			j.call = c.peer.Begin(j.in.b[prefix:])
			if r, ok := j.call.Quick(); ok {
				j.in.free()
				c.put(j.s, r)
				quick++
				continue
			}
			if len(b.jobs) > 1 && j.call.Joins() {
				if joined == nil {
					joined = make([]job, 0, len(b.jobs))
				}
				joined = append(joined, j)
				continue
			}
		}
		if slow.call != nil {
			s.submit(newBatch(c, slow))
		}
		slow = j
	}
	b.free()
	if quick > 0 {
		c.mu.Lock()
		c.flush()
	}
	if len(joined) > 0 {
		if slow.call != nil {
			s.submit(newBatch(c, slow))
		}
		c.together(joined)
		return
	}
	if slow.call != nil {
		r := slow.call.Answer()
		slow.in.free()
		c.answer(slow.s, r)
	}
}

// together answers calls that join. What is answered is sent before the next has to
// be waited for.
func (c *conn) together(all []job) {
	asked := make([]Call, len(all))
	for i, j := range all {
		asked[i] = j.call
	}
	unsent := 0
	send := func() {
		if unsent > 0 {
			unsent = 0
			c.mu.Lock()
			c.flush()
		}
	}
	c.peer.Together(asked, func(i int, r Reply) {
		all[i].in.free()
		c.put(all[i].s, r)
		unsent++
	}, send)
	send()
}
