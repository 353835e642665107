package rpc

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/messages"
)

// Connection is a client that is set up, for listings.
type Connection struct {
	ID         string
	Version    string // as it says, e.g. "Nacos-Java-Client:v3.1.0"
	App        string
	Tenant     string
	ClientIP   string // as it believes
	RemoteIP   string // as it comes
	RemotePort int
	LocalPort  int
	Created    int64 // Unix milliseconds
	LastActive int64
	Labels     map[string]string // shared; not changed
	Abilities  map[string]bool   // shared; nil: it negotiates none
}

// Connections lists who is set up, in the order of their ids.
func (s *Server) Connections() []Connection {
	all := s.all()
	list := make([]Connection, len(all))
	for i, c := range all {
		list[i] = c.show()
	}
	return list
}

// Connection is one client that is set up.
func (s *Server) Connection(id string) (Connection, bool) {
	s.mu.Lock()
	c := s.conns[id]
	s.mu.Unlock()
	if c == nil {
		return Connection{}, false
	}
	return c.show(), true
}

// Len is how many clients are set up.
func (s *Server) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

func (s *Server) all() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.conns), func(a, b *conn) int { return strings.Compare(a.id, b.id) })
}

func (c *conn) show() Connection {
	a := c.about
	v := Connection{
		ID: c.id, Version: a.version, App: a.app, Tenant: a.tenant, ClientIP: c.address(),
		RemoteIP: c.ip, RemotePort: c.port, Created: c.created, LastActive: c.active.Load(),
		Labels: a.labels, Abilities: a.abilities,
	}
	if local, ok := c.LocalAddr().(*net.TCPAddr); ok {
		v.LocalPort = local.Port
	}
	return v
}

// Move asks a client to connect to another server: address is its HOST:PORT (the
// main port, not that of gRPC), or empty for any other. NotFound if there is no
// such connection.
func (s *Server) Move(id, address string) error {
	s.mu.Lock()
	c := s.conns[id]
	s.mu.Unlock()
	if c == nil {
		return fmt.Errorf("there is no connection %q here: %w", id, messages.NotFound)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil && address != "" {
		return fmt.Errorf("%q is no HOST:PORT: %w", address, messages.Invalid)
	}
	c.move(host, port)
	return nil
}

// MoveAll asks clients to connect elsewhere until at most keep are left, those that
// came last first, and says how many it asked.
func (s *Server) MoveAll(keep int, address string) (asked int, err error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil && address != "" {
		return 0, fmt.Errorf("%q is no HOST:PORT: %w", address, messages.Invalid)
	}
	all := s.all()
	slices.SortStableFunc(all, func(a, b *conn) int { return int(b.created - a.created) })
	for _, c := range all[:max(0, len(all)-max(keep, 0))] {
		c.move(host, port)
		asked++
	}
	return asked, nil
}

func (c *conn) move(host, port string) {
	b := wire.AppendText([]byte(`,"serverIp":`), host)
	b = wire.AppendText(append(b, `,"serverPort":`...), port)
	b = wire.AppendText(append(b, `,"connectionId":`...), c.id)
	c.say("ConnectResetRequest", c.server.request("internal", b))
}

// Eject ends a connection at once. NotFound if there is none.
func (s *Server) Eject(id string) error {
	s.mu.Lock()
	c := s.conns[id]
	s.mu.Unlock()
	if c == nil {
		return fmt.Errorf("there is no connection %q here: %w", id, messages.NotFound)
	}
	c.kill()
	return nil
}

// MetricKey is one thing that a client is asked about itself.
type MetricKey struct{ Type, Key string }

// Metrics asks a client what it holds, and returns the JSON object of its answer.
// NotFound if there is no such connection; Unavailable if it does not answer.
func (s *Server) Metrics(ctx context.Context, id string, keys []MetricKey) ([]byte, error) {
	s.mu.Lock()
	c := s.conns[id]
	s.mu.Unlock()
	if c == nil {
		return nil, fmt.Errorf("there is no connection %q here: %w", id, messages.NotFound)
	}
	b := []byte(`,"metricsKeys":[`)
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = wire.AppendText(append(b, `{"type":`...), k.Type)
		b = append(wire.AppendText(append(b, `,"key":`...), k.Key), '}')
	}
	ctx, cancel := context.WithTimeout(ctx, metricsTime)
	defer cancel()
	body, err := c.ask(ctx, "ClientConfigMetricRequest", "config", append(b, ']'))
	if err != nil {
		return nil, err
	}
	return metrics(body)
}

// ask sends a request to the client and waits for the body of the answer.
func (c *conn) ask(ctx context.Context, kind, module string, fields []byte) ([]byte, error) {
	number := c.server.number()
	answer := make(chan []byte, 1)
	n := &note{raw: pack(kind, appendRequest(nil, number, module, fields))}
	n.what = n
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return nil, errEnded
	}
	if c.replies == nil {
		c.replies = map[uint64]chan []byte{}
	}
	c.replies[number] = answer
	c.enqueue(&n.push)
	c.mu.Unlock()
	select {
	case body, ok := <-answer:
		if !ok {
			return nil, errEnded
		}
		return body, nil
	case <-ctx.Done():
		c.mu.Lock()
		delete(c.replies, number)
		c.mu.Unlock()
		return nil, fmt.Errorf("the client did not answer: %w", messages.Unavailable)
	}
}

// metrics is the field of that name of an answer.
func metrics(body []byte) ([]byte, error) {
	js := wire.Scan(body)
	found := []byte("{}")
	for js.Object(); ; {
		name, ok := js.Field()
		if !ok {
			break
		}
		if string(name) == "metrics" {
			found = js.Raw()
		} else {
			js.Skip()
		}
	}
	return found, js.End()
}
