package udp

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/gateway/nacos/naming"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// listener is one poll that is listened for. Its fields are under Pusher.mu.
type listener struct {
	pusher       *Pusher
	id           id
	of           naming.Listening
	subscription *registry.Subscription

	until  time.Time       // forgotten then
	told   int64           // revision of the last poll's answer or push
	state  *registry.State // the newest that is to be told; nil: none
	queued bool

	stamp int64 // of what was sent and not acknowledged; 0: nothing
	tried int
	retry time.Time // when it is sent again
}

var _ registry.Listener = (*listener)(nil)

// Hear is registry.Listener's.
func (l *listener) Hear(_ *registry.Subscription, s *registry.State) {
	p := l.pusher
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all[l.id] == l {
		p.tell(l, s)
	}
}

// Client is registry.Listener's.
func (l *listener) Client() registry.Client {
	return registry.Client{
		Connection: clientID(l.id.to), IP: l.id.to.Addr().String(), Port: int(l.id.to.Port()),
		Agent: l.of.Agent, App: l.of.App, Clusters: l.of.Clusters,
	}
}

// clientID is what listings call who is told by datagrams.
func clientID(to netip.AddrPort) string { return to.String() + "#true" }

// tell has a state sent, unless it is none that the listener does not know. A newer
// state takes the place of one that waits. Called under p.mu.
func (p *Pusher) tell(l *listener, s *registry.State) {
	if s.Revision <= l.told {
		return
	}
	l.state, l.told = s, s.Revision
	delete(p.sent, receipt{l.id.to, l.stamp})
	l.stamp, l.tried = 0, 0
	p.queue(l)
}

// queue has l sent soon; if too many wait, its next poll brings what is new. Called
// under p.mu.
func (p *Pusher) queue(l *listener) {
	if l.queued {
		return
	}
	select {
	case p.ready <- l:
		l.queued = true
	default:
		p.lost++
	}
}

// send sends what is queued.
func (p *Pusher) send(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case l := <-p.ready:
			if packet := p.next(l); packet != nil {
				if _, err := p.conn.WriteToUDPAddrPort(packet, l.id.to); err != nil {
					p.log.Debug().Err(err).Stringer("to", l.id.to).Msg("datagram not sent")
				}
			}
		}
	}
}

// next is the datagram for l; nil: none, or none that it could read. It is made
// without the lock: a large service takes a while to pack.
func (p *Pusher) next(l *listener) []byte {
	p.mu.Lock()
	l.queued = false
	state := l.state
	p.mu.Unlock()
	if state == nil {
		return nil
	}
	packet, stamp := p.packet(l, state)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all[l.id] != l || l.state != state {
		return nil // forgotten, acknowledged, or there is a newer one, which is queued
	}
	if len(packet) > maxPacket || isGo(l.of.Agent) && len(packet) > maxGoPacket {
		l.state = nil
		return nil
	}
	l.stamp, l.tried, l.retry = stamp, l.tried+1, time.Now().Add(ackTime)
	p.sent[receipt{l.id.to, stamp}] = l
	p.pushed++
	return packet
}

// hear takes acknowledgements until the socket is closed.
func (p *Pusher) hear() {
	buf := make([]byte, maxAck)
	for {
		n, from, err := p.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			if isClosed(err) {
				return
			}
			continue // an answer that nobody listens there, to one of our datagrams
		}
		if stamp, ok := parseAck(buf[:n]); ok {
			p.acknowledge(receipt{netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), stamp})
		}
	}
}

func (p *Pusher) acknowledge(r receipt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.sent[r]; l != nil {
		delete(p.sent, r)
		l.state, l.stamp, l.tried = nil, 0, 0
		p.acked++
	}
}

// agents are the clients that are known to listen, and the first version that does.
var agents = []struct {
	name  string
	since [3]int
}{
	{"Nacos-Java-Client", [3]int{0, 1, 0}},
	{"Nacos-Go-Client", [3]int{0, 1, 0}},
	{"Nacos-DNS", [3]int{0, 4, 3}},
	{"Nacos-Python-Client", [3]int{0, 4, 3}},
	{"Nacos-C-Client", [3]int{1, 0, 12}},
	{"Nacos-CSharp-Client", [3]int{0, 9, 0}},
}

// listens says whether a client, as it calls itself, listens for datagrams.
func listens(agent string) bool {
	for _, a := range agents {
		rest, ok := strings.CutPrefix(agent, a.name)
		if !ok {
			continue
		}
		is, ok := version(rest)
		if !ok {
			return false
		}
		for i := range is {
			if is[i] != a.since[i] {
				return is[i] > a.since[i]
			}
		}
		return true
	}
	return false
}

func isGo(agent string) bool { return strings.HasPrefix(agent, "Nacos-Go-Client") }

// version reads ":v1.2.3", or what begins like it.
func version(s string) (v [3]int, ok bool) {
	s, ok = strings.CutPrefix(s, ":")
	s = strings.TrimPrefix(s, "v")
	part, digits := 0, 0
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= '0' && c <= '9' && digits < 6:
			v[part] = v[part]*10 + int(c-'0')
			digits++
		case c == '.' && part < 2 && digits > 0:
			part, digits = part+1, 0
		default:
			return v, ok && (part > 0 || digits > 0)
		}
	}
	return v, ok && s != ""
}

// Each is naming.Clients'.
func (p *Pusher) Each(visit func(*messages.RegistryClient) bool) {
	p.mu.Lock()
	seen := map[netip.AddrPort]*messages.RegistryClient{}
	for _, l := range p.all {
		if seen[l.id.to] == nil {
			seen[l.id.to] = p.client(l)
		}
	}
	p.mu.Unlock()
	for _, c := range seen {
		if !visit(c) {
			return
		}
	}
}

// Client is naming.Clients'.
func (p *Pusher) Client(id string) (c *messages.RegistryClient) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.all {
		if clientID(l.id.to) != id {
			continue
		}
		if c == nil {
			c = p.client(l)
		}
		k := l.of.Service
		c.Subscribes = append(c.Subscribes, &messages.RegistryLink{Namespace: k.Namespace, Group: k.Group, Name: k.Name})
	}
	return c
}

func (p *Pusher) client(l *listener) *messages.RegistryClient {
	return &messages.RegistryClient{
		Id: clientID(l.id.to), Ip: l.id.to.Addr().String(), Port: int32(l.id.to.Port()), Agent: l.of.Agent, App: l.of.App,
		ConnectType: "UDP", LastActive: l.until.Add(-keepTime).UnixMilli(),
	}
}
