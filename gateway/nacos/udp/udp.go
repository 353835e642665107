// Package udp tells Nacos' v1 clients of changes by datagrams, so that they need not
// wait for their next poll. It owns who listens so, the acknowledgements and the
// retries. It answers no poll, and nobody relies on it: what is lost, the next poll
// brings.
//
// A datagram goes only to the address from which the poll came over TCP, whatever
// the poll says its address is: who polls has proved that he receives there, and
// nobody can have us send to a third party. Ports below 1024 get nothing, and who
// does not acknowledge is forgotten until he polls again.
//
// Source: section 7 of the wire surface; the push receivers of nacos-sdk-go 1.1.6
// and npm nacos 2.6.3.
package udp

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/nacos/naming"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/gateway/registry"
)

// Limits and times.
const (
	// MaxListeners is how many polls are listened for at once on a node, and
	// maxOfOne how many of them one address may have.
	MaxListeners = 100_000
	maxOfOne     = 2_000

	// minPort keeps datagrams from services of the system.
	minPort = 1024
	maxPort = 65535

	// keepTime is how long who polled is told: a poll comes every 10 s, and may be
	// late.
	keepTime  = wire.DefaultCacheMillis*time.Millisecond + keepSlack
	keepSlack = 5 * time.Second
	sweepTime = time.Second

	ackTime = 10 * time.Second // without an answer a datagram is sent again
	tries   = 2                // then its listener is forgotten

	queued    = 4096 // datagrams that wait to be sent; others are left to the next poll
	maxAck    = 64 << 10
	gzipFrom  = 1024
	maxPacket = 60_000 // what fits into one datagram
	// maxGoPacket is what the Go client reads; of a longer one it would see half.
	maxGoPacket = 4024
)

// Conn is a UDP socket: *net.UDPConn, or a stand-in.
type Conn interface {
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
	Close() error
}

var _ Conn = (*net.UDPConn)(nil)

// Pusher tells listeners. Safe for concurrent use.
type Pusher struct {
	feeds  *registry.Feeds
	conn   Conn
	log    zerolog.Logger
	cancel context.CancelFunc
	tasks  sync.WaitGroup
	ready  chan *listener // who has something to be told

	stamp atomic.Int64 // of the last datagram

	mu   sync.Mutex
	all  map[id]*listener
	of   map[netip.AddrPort]int // how many listeners an address has
	sent map[receipt]*listener  // what is not acknowledged yet

	pushed, acked, lost int64
}

// Stats are counts since the start, but for Listeners, which are those of now.
type Stats struct {
	Listeners           int
	Pushed, Acked, Lost int64 // datagrams; lost are those that nobody acknowledged, or that did not fit into the queue
}

// Stats reads the counters.
func (p *Pusher) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Stats{Listeners: len(p.all), Pushed: p.pushed, Acked: p.acked, Lost: p.lost}
}

var _ naming.Pusher = (*Pusher)(nil)

// id tells listeners apart.
type id struct {
	to       netip.AddrPort
	service  actors.Ref
	clusters string
}

// receipt is how an acknowledgement says what it is about.
type receipt struct {
	from  netip.AddrPort
	stamp int64
}

// New pushes through conn until Close, which closes it too.
func New(feeds *registry.Feeds, conn Conn, log zerolog.Logger) *Pusher {
	ctx, cancel := context.WithCancel(context.Background())
	p := &Pusher{
		feeds: feeds, conn: conn, log: log, cancel: cancel, ready: make(chan *listener, queued),
		all: map[id]*listener{}, of: map[netip.AddrPort]int{}, sent: map[receipt]*listener{},
	}
	p.tasks.Go(func() { p.send(ctx) })
	p.tasks.Go(func() { p.sweep(ctx) })
	p.tasks.Go(p.hear)
	return p
}

// Listen opens a socket for datagrams on any free port of an address.
func Listen(ip string) (*net.UDPConn, error) {
	at, err := net.ResolveUDPAddr("udp", net.JoinHostPort(ip, "0"))
	if err != nil {
		return nil, fmt.Errorf("listen for datagrams on %q: %w", ip, err)
	}
	return net.ListenUDP("udp", at)
}

// Close forgets everybody.
func (p *Pusher) Close() error {
	p.cancel()
	err := p.conn.Close()
	p.tasks.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.all {
		p.forget(l)
	}
	return err
}

// Listen has who polled be told for a while, or for longer. Those who cannot be are
// left to their polls.
func (p *Pusher) Listen(n naming.Listening) {
	ip, err := netip.ParseAddr(n.Peer)
	if err != nil || n.Port < minPort || n.Port > maxPort || !listens(n.Agent) {
		return
	}
	to := netip.AddrPortFrom(ip.Unmap(), uint16(n.Port))
	key := id{to, service.Ref(n.Service.Namespace, n.Service.Group, n.Service.Name), n.Clusters}
	if l := p.renew(key, n); l != nil {
		p.subscribe(l)
	}
}

// renew is nil if l is known, or may not be.
func (p *Pusher) renew(key id, n naming.Listening) *listener {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.all[key]; l != nil {
		l.until = time.Now().Add(keepTime)
		l.told = max(l.told, n.Revision)
		return nil
	}
	if len(p.all) >= MaxListeners || p.of[key.to] >= maxOfOne {
		return nil
	}
	l := &listener{pusher: p, id: key, of: n, until: time.Now().Add(keepTime), told: n.Revision}
	p.all[key] = l
	p.of[key.to]++
	return l
}

// subscribe begins to hear of the service. What has changed since the poll was
// answered is told at once.
func (p *Pusher) subscribe(l *listener) {
	s, err := p.feeds.Subscribe(l.id.service, l)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err != nil:
		p.forget(l)
	case p.all[l.id] != l: // forgotten meanwhile
		s.Cancel()
	default:
		l.subscription = s
		if now := s.State(); now != nil {
			p.tell(l, now)
		}
	}
}

// forget ends a listener. Called under p.mu.
func (p *Pusher) forget(l *listener) {
	if p.all[l.id] != l {
		return
	}
	delete(p.all, l.id)
	if p.of[l.id.to]--; p.of[l.id.to] == 0 {
		delete(p.of, l.id.to)
	}
	delete(p.sent, receipt{l.id.to, l.stamp})
	if l.subscription != nil {
		l.subscription.Cancel()
	}
}

// sweep forgets who polls no more, and has sent again what nobody acknowledged.
func (p *Pusher) sweep(ctx context.Context) {
	ticker := time.NewTicker(sweepTime)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			p.expire(now)
		}
	}
}

func (p *Pusher) expire(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.all {
		if now.After(l.until) {
			p.forget(l)
		}
	}
	for _, l := range p.sent {
		switch {
		case now.Before(l.retry):
		case l.tried >= tries:
			p.lost++
			p.forget(l)
		default:
			p.queue(l)
		}
	}
}
