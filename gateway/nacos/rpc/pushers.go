package rpc

import (
	"runtime"
	"sync"
)

// pushers write to connections. As many do as there are processors: more of them
// would only take turns, and a change that a thousand subscribers hear of would
// begin with waking them all. A client that reads slowly keeps one of them until it
// is given up, and another takes that one's place; so many at most.
type pushers struct {
	mu      sync.Mutex
	conns   []*conn
	workers int
	stuck   int // workers of which the last look found that they wait for a client
	busy    map[*conn]struct{}
}

// eager is how many write at once while no client keeps them waiting.
var eager = max(2, runtime.GOMAXPROCS(0))

func (q *pushers) ready(c *conn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.conns = append(q.conns, c)
	q.hire()
}

// hire has one more worker begin, if that is of use. Called under q.mu.
func (q *pushers) hire() bool {
	if q.workers-q.stuck >= eager || q.workers >= pushWorkers {
		return false
	}
	q.workers++
	go q.work()
	return true
}

func (q *pushers) work() {
	var before *conn
	for {
		q.mu.Lock()
		delete(q.busy, before)
		if len(q.conns) == 0 {
			q.conns = nil
			q.workers--
			q.mu.Unlock()
			return
		}
		c := q.conns[0]
		q.conns[0] = nil
		q.conns = q.conns[1:]
		if q.busy == nil {
			q.busy = map[*conn]struct{}{}
		}
		q.busy[c] = struct{}{}
		q.mu.Unlock()
		c.drain()
		before = c
	}
}

// look counts who waits for a client since the look before, whose time that was, and
// puts others in their places.
func (q *pushers) look(before int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stuck = 0
	for c := range q.busy {
		if since := c.writing.Load(); since != 0 && since <= before {
			q.stuck++
		}
	}
	for range q.conns {
		if !q.hire() {
			return
		}
	}
}
