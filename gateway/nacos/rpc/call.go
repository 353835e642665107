package rpc

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"sync"

	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/gateway/nacos/h2"
	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// call is one request and the answer to it.
type call struct {
	ctx     context.Context
	server  *Server
	conn    *conn
	in      payload
	handler *handler // nil: nobody knows such requests
	broken  error    // why in cannot be read
	json    wire.Scanner
	request string // its id, to be repeated in the answer
	user    *api.User
	reply   *reply
	began   bool   // the answer is a success, and has begun
	about   naming // of a change: what it says
}

// handler is how one kind of request is answered. Handle reads c.json and returns
// an error, or calls ok and appends further fields. What only changes what the
// connection keeps in a service has change instead, which reads c.json into c.about.
type handler struct {
	answer string // the class of the answer
	handle func(*call) error
	change func(*call) (registry.Change, error)
	early  bool // also before the connection is set up
	light  bool // it asks nobody
	quick  bool // it changes nothing, and mostly has the answer at once
}

var calls = sync.Pool{New: func() any { return &call{} }}

// quickly is the context of a call that others wait behind.
var quickly = cluster.NoWait(context.Background())

// Begin is h2.Peer's.
func (c *conn) Begin(in []byte) h2.Call {
	k := calls.Get().(*call)
	k.in.raw = in
	k.server, k.conn, k.reply = c.server, c, newReply()
	c.touch()
	if k.broken = k.in.parse(); k.broken == nil {
		k.handler = handlers[string(k.in.kind)]
	}
	return k
}

// Quick is h2.Call's: it answers what asks nobody, or only what is in memory here.
func (c *call) Quick() (h2.Reply, bool) {
	if c.handler != nil && !c.handler.quick {
		return nil, false
	}
	c.ctx = quickly
	kind, err := c.work()
	if errors.Is(err, cluster.ErrWait) {
		return nil, false
	}
	return c.done(kind), true
}

// Answer is h2.Call's.
func (c *call) Answer() h2.Reply {
	c.ctx, c.began = context.Background(), false
	kind, _ := c.work()
	return c.done(kind)
}

// done lets the call go, and is what it answers.
func (c *call) done(kind string) h2.Reply {
	r := c.reply
	r.framed = frame(r.b, kind)
	*c = call{in: payload{headers: c.in.headers[:0]}}
	calls.Put(c)
	return r
}

const errorResponse = "ErrorResponse"

// work makes the answer, and says of what class it is; err is why it was refused.
func (c *call) work() (kind string, err error) {
	err = c.server.guarded(c.in.kind, c.try)
	return c.said(err), err
}

// said ends the answer, which err refuses, and is its class.
func (c *call) said(err error) string {
	if err != nil {
		c.fail(err)
		if c.handler == nil {
			return errorResponse
		}
		return c.handler.answer
	}
	if !c.began {
		c.ok()
	}
	c.reply.b = append(c.reply.b, '}')
	return c.handler.answer
}

// choose says why nobody is to look at what is asked; nil: its handler is.
func (c *call) choose() error {
	if c.broken != nil {
		return unparsable(c.broken)
	}
	c.json.Reset(c.in.body)
	h, err := c.handler, error(nil)
	switch {
	case h == nil:
		err = errNoHandler
	case c.server.cfg.Ready != nil && !c.server.cfg.Ready():
		err = errNotReady
	case !h.early && !c.conn.registered():
		err = errUnregistered
	case !h.light && c.server.cfg.Pressure != nil && c.server.cfg.Pressure() >= 1:
		c.peek()
		return errBusy
	}
	if err != nil {
		c.handler = nil
		c.peek()
	}
	return err
}

// try calls the handler.
func (c *call) try() error {
	if err := c.choose(); err != nil {
		return err
	}
	if c.handler.change != nil {
		return c.change()
	}
	return c.handler.handle(c)
}

// guarded does something for a request of that kind: a panic ends this request only.
func (s *Server) guarded(kind []byte, do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.cfg.Log.Error().Any("panic", p).Bytes("stack", debug.Stack()).Bytes("request", kind).Msg("a handler panicked")
			err = fmt.Errorf("a handler panicked: %w", messages.Internal)
		}
	}()
	return do()
}

// peek looks for the id of a request that nobody is going to read.
func (c *call) peek() {
	c.each(func([]byte) bool { return false })
	c.json.Reset(c.in.body)
}

// each reads the fields of the request: those that all have by itself, the others
// are want's, which says false of what it does not know. Unparsable if it is no
// JSON object.
func (c *call) each(want func(name []byte) bool) error {
	if c.json.Object() {
		for {
			name, ok := c.json.Field()
			if !ok {
				break
			}
			switch {
			case string(name) == "requestId":
				if c.request = c.json.Text(); len(c.request) > maxRequestIDText {
					c.request = c.request[:maxRequestIDText]
				}
			case !want(name):
				c.json.Skip()
			}
		}
	}
	if err := c.json.End(); err != nil {
		return unparsable(err)
	}
	return nil
}

// ok begins the answer of a request that was done. Further fields may be appended,
// each with a comma in front.
func (c *call) ok() {
	c.began = true
	b := append(c.reply.b[:headroom], `{"resultCode":200,"errorCode":0,"message":null,"requestId":`...)
	c.reply.b = append(wire.AppendText(b, c.request), `,"success":true`...)
}

// text appends a field of the answer.
func (c *call) text(name, value string) {
	c.reply.b = wire.AppendText(append(c.reply.b, name...), value)
}

// fail makes the answer that the request was refused.
func (c *call) fail(err error) {
	if messages.KindOf(err) == messages.ErrorKind_ERROR_KIND_INTERNAL {
		c.server.cfg.Log.Error().Err(err).Bytes("request", c.in.kind).Str("connection", c.conn.id).Msg("a request failed")
	}
	b := append(c.reply.b[:headroom], `{"resultCode":500,"errorCode":`...)
	b = strconv.AppendInt(b, int64(codeOf(err)), 10)
	b = wire.AppendText(append(b, `,"message":`...), sentence(err, c.request))
	b = wire.AppendText(append(b, `,"requestId":`...), c.request)
	c.reply.b = append(b, `,"success":false}`...)
}

// permit refuses with Denied who may not do that. The credentials of each request
// count, so that a token ends when it ends.
func (c *call) permit(to api.Action, what api.Resource) error {
	if err := c.identify(); err != nil {
		return err
	}
	if !c.user.May(to, what) {
		return fmt.Errorf("authorization failed, %s may not do that with %s:%s:%s/%s: %w",
			c.user.Name, what.Namespace, what.Group, what.Type, what.Name, messages.Denied)
	}
	return nil
}

// identify finds out who asks. Denied if it is nobody.
func (c *call) identify() error {
	if c.user != nil {
		return nil
	}
	if c.server.cfg.Auth == nil {
		return fmt.Errorf("nobody can be known here: %w", messages.Denied)
	}
	u, err := c.server.cfg.Auth.Identify(c.ctx, api.Credentials{
		Token: c.server.tokens.of(c.in.value("accessToken")), Username: c.in.header("username"), Password: c.in.header("password"),
	})
	if err == nil && u == nil {
		err = fmt.Errorf("nobody is logged in: %w", messages.Denied)
	}
	c.user = u
	return err
}

// userName is who asks, for histories; empty: nobody is known.
func (c *call) userName() string {
	if c.user == nil {
		return ""
	}
	return c.user.Name
}
