package cluster

import "sync/atomic"

// counters are what Stats reads.
type counters struct {
	busy     atomic.Int64 // messages that wait plus commits under way
	waiting  atomic.Int64
	inFlight atomic.Int64
	live     atomic.Int64 // grains in memory
	written  atomic.Uint64
	stepped  atomic.Uint64
	stale    atomic.Uint64
	panics   atomic.Uint64

	quiet chan struct{} // told when busy falls to 0
	empty chan struct{} // told when live falls to 0
}

func (c *counters) arrived() {
	c.busy.Add(1)
	c.waiting.Add(1)
}

func (c *counters) handled() {
	c.waiting.Add(-1)
	c.rest()
}

func (c *counters) commitBegins() {
	c.busy.Add(1)
	c.inFlight.Add(1)
}

func (c *counters) commitEnds() {
	c.inFlight.Add(-1)
	c.rest()
}

func (c *counters) rest() {
	if c.busy.Add(-1) == 0 {
		signal(c.quiet)
	}
}

func (c *counters) grainGone() {
	if c.live.Add(-1) == 0 {
		signal(c.empty)
	}
}

// signal leaves a note in a channel that holds one.
func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Stats is what a node is doing.
type Stats struct {
	Actors   map[string]int64 // in memory, by kind
	Waiting  int64            // messages that wait in mailboxes
	InFlight int64            // commits under way
	Commits  uint64           // done since the start
	Steps    uint64           // messages handled since the start
	Stale    uint64           // activations that lost their grain to another
	Panics   uint64
	Driving  int64 // driver operations running or waiting for their turn
}

// Stats reads the node's counters.
func (c *Client) Stats() Stats {
	n := c.node
	s := Stats{
		Actors: map[string]int64{}, Waiting: n.waiting.Load(), InFlight: n.inFlight.Load(),
		Commits: n.written.Load(), Steps: n.stepped.Load(), Stale: n.stale.Load(),
		Panics: n.panics.Load(), Driving: n.hosts.driving.Load(),
	}
	for name, k := range n.lookup.kinds {
		s.Actors[name] = k.live.Load()
	}
	return s
}

// Pressure is how many messages wait and commits are under way: one atomic
// read, for admission control at the edge.
func (c *Client) Pressure() int { return int(c.node.busy.Load()) }
