package rpc

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

type subscriptionKey struct {
	at       actors.Ref
	clusters string
}

// subscription is a client that wants to know when a service changes. All but its
// names are under the lock of its connection.
type subscription struct {
	push
	conn        *conn
	key         subscriptionKey
	group, name string
	view        string
	feed        *registry.Subscription
	state       *registry.State // the newest; what is told
	seen        int64           // the revision that the client has
	exists      bool            // the service did, as the client has it
}

// subscribeService begins or ends a subscription and answers with the service as
// it is now.
func subscribeService(c *call) error {
	var n naming
	at, err := c.target(&n, api.Read)
	if err != nil {
		return err
	}
	key := subscriptionKey{at, n.clusters}
	if !n.subscribe {
		c.conn.unsubscribe(key)
		c.info(&n, at, nil, false)
		return nil
	}
	sub, err := c.conn.subscribe(key, &n)
	if err != nil {
		return err
	}
	s, err := c.service(at)
	if err != nil {
		return err
	}
	c.info(&n, at, s, false)
	sub.told(s)
	return nil
}

// subscribe finds or makes a subscription.
func (c *conn) subscribe(key subscriptionKey, n *naming) (*subscription, error) {
	s, fresh, err := c.subscription(key, n)
	if err != nil || !fresh {
		return s, err
	}
	feed, err := c.server.cfg.Feeds.Subscribe(key.at, s)
	if err != nil {
		c.unsubscribe(key)
		return nil, err
	}
	c.mu.Lock()
	s.feed = feed
	gone := s.gone
	c.mu.Unlock()
	if gone { // meanwhile
		feed.Cancel()
	}
	return s, nil
}

func (c *conn) subscription(key subscriptionKey, n *naming) (s *subscription, fresh bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.services.Get(key); s != nil {
		return s, false, nil
	}
	switch {
	case c.ended:
		return nil, false, errEnded
	case c.services.Len() >= c.server.cfg.MaxSubscriptions:
		return nil, false, fmt.Errorf("a connection subscribes to at most %d services: %w", c.server.cfg.MaxSubscriptions, messages.Exhausted)
	}
	s = &subscription{conn: c, key: key, group: n.group, name: n.name, view: "nacos-grpc\x00" + key.clusters}
	s.what = s
	c.services.Put(key, s)
	return s, true, nil
}

var errEnded = fmt.Errorf("the connection has ended: %w", messages.Unavailable)

func (c *conn) unsubscribe(key subscriptionKey) {
	c.mu.Lock()
	s := c.services.Get(key)
	c.services.Delete(key)
	if s != nil {
		c.forget(&s.push)
	}
	c.mu.Unlock()
	if s != nil {
		s.leave()
	}
}

// leave ends the feed; not under the lock.
func (s *subscription) leave() {
	s.conn.mu.Lock()
	s.gone = true
	feed := s.feed
	s.conn.mu.Unlock()
	if feed != nil {
		feed.Cancel()
	}
}

// told notes that an answer showed the client a service; nil: none.
func (s *subscription) told(now *messages.Service) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if now != nil && now.GetRevision() >= s.seen {
		s.seen, s.exists = now.GetRevision(), true
	}
}

// Hear is registry.Listener's.
func (s *subscription) Hear(_ *registry.Subscription, state *registry.State) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if state.Revision <= s.seen || state.Service == nil && !s.exists {
		return
	}
	s.state = state
	s.conn.enqueue(&s.push)
}

// Client is registry.Listener's.
func (s *subscription) Client() registry.Client {
	c := s.conn.client()
	c.Clusters = s.key.clusters
	return c
}

func (c *conn) client() registry.Client {
	r := registry.Client{Connection: c.id, IP: c.ip, Port: c.port}
	if a := c.about; a != nil {
		r.Agent, r.App = a.version, a.app
	}
	return r
}

// next is pushable's: the newest state, rendered once for all who see the same.
func (s *subscription) next() (uint64, []byte) {
	state := s.state
	if state == nil {
		return 0, nil
	}
	s.seen, s.exists = state.Revision, state.Service != nil
	if personal(state.Service) {
		return numbered(s.render(state, s.conn.address()))
	}
	return numbered(state.Rendered(s.view, func() []byte { return s.render(state, "") }))
}

// render is the whole payload, with its number in front: it is the same for all
// connections, for they acknowledge to their own.
func (s *subscription) render(state *registry.State, consumer string) []byte {
	info := wire.ServiceInfo{Group: s.group, Name: s.name, Clusters: s.key.clusters}
	info.Choose(state.Service, false, consumer)
	info.Revision = state.Revision
	fields := append(make([]byte, 0, 512+448*len(info.Hosts)), `,"namespace":`...)
	namespace, _, _ := strings.Cut(s.key.at.ID, service.Separator)
	fields = wire.AppendText(fields, namespace)
	fields = wire.AppendText(append(fields, `,"serviceName":`...), s.name)
	fields = wire.AppendText(append(fields, `,"groupName":`...), s.group)
	fields = info.Append(append(fields, `,"serviceInfo":`...))
	return s.conn.server.shared("NotifySubscriberRequest", "naming", fields)
}

// wait and again are pushable's.
func (s *subscription) wait() time.Duration             { return namingAck }
func (s *subscription) again(int) (time.Duration, bool) { return namingRetry, true }

// shared is a request to clients as it is kept for many: its number in 8 bytes,
// then the payload.
func (s *Server) shared(kind, module string, fields []byte) []byte {
	number := s.number()
	raw := pack(kind, appendRequest(make([]byte, 0, 64+len(fields)), number, module, fields))
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(raw)), number), raw...)
}

func numbered(shared []byte) (uint64, []byte) {
	return binary.BigEndian.Uint64(shared), shared[8:]
}
