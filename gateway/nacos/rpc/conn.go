package rpc

import (
	"context"
	"net"
	"sync"
	"sync/atomic"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/lock"
	"github.com/troupe-cloud/troupe/gateway/nacos/h2"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// conn is one TCP connection, and from its setup on a connection of the dialect.
type conn struct {
	net.Conn
	server  *Server
	id      string
	ip      string // as the connection comes from
	port    int
	created int64        // Unix milliseconds
	active  atomic.Int64 // when something was last heard
	asked   atomic.Int64 // when it was asked whether it lives; 0: it was not, or has answered
	writing atomic.Int64 // since when a push is being written; 0: none is

	// Set once, by setup, before the connection is known.
	about *about

	mu       sync.Mutex
	stream   *h2.Sender // nil: not set up
	ended    bool
	sending  bool    // a worker writes what is in queue, or is about to
	queue    []*push // in the order in which they go
	unheard  unheard
	services registry.Few[subscriptionKey, *subscription]
	configs  registry.Few[configKey, *listen]
	patterns map[patternKey]*pattern
	locks    map[actors.Ref]struct{}
	replies  map[uint64]chan []byte // answers that somebody waits for
}

// about is what a client says of itself.
type about struct {
	version   string // e.g. "Nacos-Java-Client:v3.1.0"
	tenant    string
	clientIP  string // as it believes; else the connection's
	app       string
	labels    map[string]string
	abilities map[string]bool   // nil: it negotiates none
	gray      map[string]string // of labels, what rules of gray versions know; not changed
}

// begin makes the connection known. False if it is already, or has ended.
func (c *conn) begin(a *about, s *h2.Sender) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stream != nil || c.ended {
		return false
	}
	c.about, c.stream = a, s
	c.server.cfg.Owners.Begin(c.id)
	c.server.mu.Lock()
	c.server.conns[c.id] = c
	c.server.mu.Unlock()
	return true
}

// registered says whether requests are accepted.
func (c *conn) registered() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stream != nil && !c.ended
}

// end takes away all that the connection had: its instances after a grace period,
// everything else at once. It can be called more than once.
func (c *conn) end() {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return
	}
	c.ended = true
	wasSetUp := c.stream != nil
	services, configs, patterns, locks := c.services, c.configs, c.patterns, c.locks
	c.services, c.configs = registry.Few[subscriptionKey, *subscription]{}, registry.Few[configKey, *listen]{}
	c.patterns, c.locks, c.queue, c.unheard = nil, nil, nil, unheard{}
	for _, waiting := range c.replies {
		close(waiting)
	}
	c.replies = nil
	c.mu.Unlock()
	if !wasSetUp {
		return
	}
	s := c.server
	s.mu.Lock()
	delete(s.conns, c.id)
	s.mu.Unlock()
	s.cfg.Owners.Drop(c.id, false)
	for _, sub := range services.All() {
		sub.leave()
	}
	for _, l := range configs.All() {
		l.leave()
	}
	for _, p := range patterns {
		p.leave()
	}
	if len(locks) > 0 {
		go c.unlock(locks)
	}
	s.cfg.Log.Debug().Str("connection", c.id).Msg("a client is gone")
}

// unlock lets go what the connection held. A lock that cannot be reached expires.
func (c *conn) unlock(locks map[actors.Ref]struct{}) {
	for ref := range locks {
		ctx, cancel := context.WithTimeout(context.Background(), releaseTime)
		_, _ = c.server.cfg.Cloud.Ask(ctx, ref, &messages.ReleaseLock{Owner: c.owner()})
		cancel()
	}
}

// owner is the name under which locks know the connection.
func (c *conn) owner() string {
	name := c.server.cfg.Owners.Owner(c.id)
	return name[max(0, len(name)-lock.MaxOwnerBytes):]
}

// kill ends the connection and closes it.
func (c *conn) kill() {
	c.end()
	_ = c.Conn.Close() // the transport sees it, and closes the rest
}

// touch notes that the client lives.
func (c *conn) touch() {
	c.active.Store(c.server.now())
	if c.asked.Load() != 0 {
		c.asked.Store(0)
	}
}
