package balancer

import (
	"math"
	"sync/atomic"
	"time"
)

// Server is an endpoint in use. It is the same for as long as the endpoint is on
// the list; a changed endpoint is a new Server with the same history.
type Server struct {
	Endpoint
	*history
	id      string       // Endpoint.key
	address string       // HOST:PORT
	added   int64        // when it came into use, for slow start
	zone    *zoneCounter // calls under way in its zone
}

// Address is HOST:PORT.
func (s *Server) Address() string { return s.address }

// Key is what tells the server from others of its service.
func (s *Server) Key() string { return s.id }

// zoneCounter counts the calls under way in a zone, on a cache line of its own.
type zoneCounter struct {
	atomic.Int64
	_ [56]byte
}

// history is what outlives changes of an endpoint's description.
type history struct {
	stats
	tripped  atomic.Int64 // until when connections are not tried
	ejected  atomic.Int64 // until when it is left alone for bad answers
	strikes  atomic.Int64 // ejections that are not forgiven
	trial    atomic.Int64 // since when one call is under way to see whether it is back; 0: none
	pingDown atomic.Bool
	healed   atomic.Int64 // when it last came back
}

// Stats is a reading of what calls have shown of a server.
type Stats struct {
	ID                 string
	Address            string
	Zone               string
	Usable             bool
	Active             int64 // calls under way
	Calls, Failed      int64
	SuccessiveFailures int64
	Mean, Deviation    time.Duration // of the response time
	P50, P90, P99      time.Duration // of the last some hundred response times
	TrippedFor         time.Duration // how long it gets no calls yet; 0: it does
	EjectedFor         time.Duration
	Down               bool // the registry or a ping says so
}

// usable says whether calls may go to s at now. A trial means: one.
func (s *Server) usable(now int64) (ok, trial bool) {
	if s.Down || s.pingDown.Load() || s.Weight <= 0 {
		return false, false
	}
	tripped, ejected := s.tripped.Load(), s.ejected.Load()
	if tripped > now || ejected > now {
		return false, false
	}
	return true, tripped != 0
}

// returns is when a server that is left alone gets calls again; 0: not by itself.
func (s *Server) returns(now int64) int64 {
	at := max(s.tripped.Load(), s.ejected.Load())
	if at <= now || s.Down || s.pingDown.Load() || s.Weight <= 0 {
		return 0
	}
	return at
}

// read is a reading at now.
func (s *Server) read(now int64) Stats {
	q := s.recent.quantiles(0.5, 0.9, 0.99)
	ok, _ := s.usable(now)
	r := Stats{
		ID: s.id, Address: s.Address(), Zone: s.Zone, Usable: ok,
		Active: s.under(now), Calls: s.calls.Load(), Failed: s.failed.Load(), SuccessiveFailures: s.successive.Load(),
		Mean: s.mean(), P50: q[0], P90: q[1], P99: q[2], Down: s.Down || s.pingDown.Load(),
		TrippedFor: time.Duration(max(s.tripped.Load()-now, 0)), EjectedFor: time.Duration(max(s.ejected.Load()-now, 0)),
	}
	if r.Calls > 0 {
		mean := ms(r.Mean)
		variance := math.Float64frombits(s.sumSquares.Load())/float64(r.Calls) - mean*mean
		r.Deviation = time.Duration(math.Sqrt(max(variance, 0)) * float64(time.Millisecond))
	}
	return r
}
