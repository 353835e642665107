package peer

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"
)

// Stat is what went between this process and one other, since the connection's
// first use. Bytes are those on the wire, encrypted.
type Stat struct {
	Identity                               // without Stream: one that this process dialled
	Address                         string // of the other end
	Up                              bool   // a stream stands
	SentFrames, ReceivedFrames      uint64
	SentBytes, ReceivedBytes        uint64
	Dials, Connects, Refused        uint64        // attempts, those that came to a stream, sends refused here
	Queued, QueuedBytes, Unanswered int           // now; of a stream that others dialled, Unanswered is what is being served
	RTT                             time.Duration // smoothed; 0: not known
	Failure                         string        // why there is no stream; "" if there is one
}

// tally is counters of one peer.
type tally struct {
	frames, got, dials, ups, refused atomic.Uint64
	smooth                           atomic.Int64
}

func (t *tally) sent(batch []item)   { t.frames.Add(uint64(len(batch))) }
func (t *tally) received(frames int) { t.got.Add(uint64(frames)) }

// rttShare is how much of a new round trip goes into the smoothed one: an eighth,
// as TCP does (RFC 6298).
const rttShare = 8

func (t *tally) rtt(d time.Duration) {
	if old := time.Duration(t.smooth.Load()); old != 0 {
		d = old + (d-old)/rttShare
	}
	t.smooth.Store(int64(d))
}

func (t *tally) stat(count *traffic) Stat {
	return Stat{
		SentFrames: t.frames.Load(), ReceivedFrames: t.got.Load(),
		SentBytes: count.written.Load(), ReceivedBytes: count.read.Load(),
		Dials: t.dials.Load(), Connects: t.ups.Load(), Refused: t.refused.Load(),
		RTT: time.Duration(t.smooth.Load()),
	}
}

func (l *link) stat() Stat {
	s := l.tally.stat(&l.count)
	s.Identity = Identity{Role: RoleNode, Name: l.to.Name, Member: l.to.ID}
	s.Address = l.to.Address
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Up = l.state == up || l.state == away
	s.Queued, s.QueuedBytes, s.Unanswered = l.out.len(), l.out.bytes, len(l.calls)
	if !s.Up && l.failure != nil {
		s.Failure = l.failure.Error()
	}
	return s
}

// Stats are the connections that this process has dialled, by name.
func (d *Dialer) Stats() []Stat {
	d.mu.Lock()
	links := make([]*link, 0, len(d.links))
	for _, l := range d.links {
		links = append(links, l)
	}
	d.mu.Unlock()
	stats := make([]Stat, len(links))
	for i, l := range links {
		stats[i] = l.stat()
	}
	return sortStats(stats)
}

func sortStats(stats []Stat) []Stat {
	slices.SortFunc(stats, func(a, b Stat) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Member, b.Member), cmp.Compare(a.Stream, b.Stream))
	})
	return stats
}
