package api

import (
	"container/list"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// MaxClients bounds the table of rate limited clients; the one not heard of for
// the longest is forgotten first.
const MaxClients = 16384

// admit counts a request in, or refuses it while too much is under way.
// Streams are counted apart, so that slow uploads cannot keep others out.
func (s *Server) admit(route *Route) error {
	if s.cfg.Pressure != nil && s.cfg.Pressure() >= 1 {
		return errBusy
	}
	count, limit := s.count(route)
	if count.Add(1) > int64(limit) {
		count.Add(-1)
		return errBusy
	}
	return nil
}

// leave counts a request out that was admitted.
func (s *Server) leave(route *Route) {
	count, _ := s.count(route)
	count.Add(-1)
}

// count is how many of a route's sort are under way, and may be.
func (s *Server) count(route *Route) (count *atomic.Int64, limit int) {
	if route.Stream {
		return &s.streams, s.cfg.MaxStreams
	}
	return &s.inFlight, s.cfg.MaxInFlight
}

// pace refuses a client that asks faster than it may.
func (s *Server) pace(r *Request) error {
	if s.clients == nil || s.clients.allow(r.RemoteAddr, time.Now()) {
		return nil
	}
	return errTooMany
}

// Pace limits how fast one client address may ask, for dialects with a server of
// their own.
type Pace struct{ clients *clients }

// NewPace lets each address ask so often a second; 0: as it likes.
func NewPace(perSecond float64) *Pace {
	if perSecond <= 0 {
		return &Pace{}
	}
	return &Pace{newClients(perSecond, 0)}
}

// Allow counts a request of remote (host:port), and says whether it may be answered.
func (p *Pace) Allow(remote string) bool {
	return p.clients == nil || p.clients.allow(remote, time.Now())
}

// clients holds one token bucket for each client address.
type clients struct {
	limit rate.Limit
	burst int

	mu     sync.Mutex
	byAddr map[netip.Prefix]*list.Element
	recent list.List // of *client, the latest first
}

type client struct {
	addr   netip.Prefix
	bucket *rate.Limiter
}

func newClients(perSecond float64, burst int) *clients {
	if burst <= 0 {
		burst = max(1, int(perSecond))
	}
	return &clients{limit: rate.Limit(perSecond), burst: burst, byAddr: map[netip.Prefix]*list.Element{}}
}

// allow takes one token from the bucket of the client at remote (host:port).
func (c *clients) allow(remote string, now time.Time) bool {
	addr := clientOf(remote)
	c.mu.Lock()
	e, ok := c.byAddr[addr]
	if ok {
		c.recent.MoveToFront(e)
	} else {
		if c.recent.Len() >= MaxClients {
			oldest := c.recent.Back()
			delete(c.byAddr, oldest.Value.(*client).addr)
			c.recent.Remove(oldest)
		}
		e = c.recent.PushFront(&client{addr, rate.NewLimiter(c.limit, c.burst)})
		c.byAddr[addr] = e
	}
	c.mu.Unlock()
	return e.Value.(*client).bucket.AllowN(now, 1)
}

// clientOf is what counts as one client: an IPv4 address, or the /64 that an
// IPv6 customer usually owns. Remotes that are no addresses are one client.
func clientOf(remote string) netip.Prefix {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}
	}
	addr, bits := ap.Addr().Unmap().WithZone(""), 32
	if addr.Is6() {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}
