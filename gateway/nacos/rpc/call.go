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
	"github.com/troupe-cloud/troupe/messages"
)

// call is one request and the answer to it.
type call struct {
	ctx     context.Context
	server  *Server
	conn    *conn
	in      payload
	broken  error // why in cannot be read
	json    wire.Scanner
	request string // its id, to be repeated in the answer
	user    *api.User
	reply   *reply
	began   bool // the answer is a success, and has begun
}

// handler is how one kind of request is answered. Handle reads c.json and returns
// an error, or calls ok and appends further fields.
type handler struct {
	answer string // the class of the answer
	handle func(*call) error
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
	k.broken = k.in.parse()
	return k
}

// Quick is h2.Call's: it answers what asks nobody, or only what is in memory here.
func (c *call) Quick() (h2.Reply, bool) {
	h := handlers[string(c.in.kind)]
	if c.broken == nil && h != nil && !h.quick {
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
	h, err := c.try()
	switch {
	case err == nil:
		if !c.began {
			c.ok()
		}
		c.reply.b = append(c.reply.b, '}')
		return h.answer, nil
	case h == nil:
		c.fail(err)
		return errorResponse, err
	}
	c.fail(err)
	return h.answer, err
}

// choose finds the handler; an error is one that comes before any.
func (c *call) choose() (*handler, error) {
	if c.broken != nil {
		return nil, unparsable(c.broken)
	}
	c.json.Reset(c.in.body)
	h := handlers[string(c.in.kind)]
	switch {
	case h == nil:
		c.peek()
		return nil, errNoHandler
	case c.server.cfg.Ready != nil && !c.server.cfg.Ready():
		c.peek()
		return nil, errNotReady
	case !h.early && !c.conn.registered():
		c.peek()
		return nil, errUnregistered
	case !h.light && c.server.cfg.Pressure != nil && c.server.cfg.Pressure() >= 1:
		c.peek()
		return h, errBusy
	}
	return h, nil
}

// try finds the handler and calls it; a panic ends this request only.
func (c *call) try() (h *handler, err error) {
	defer func() {
		if p := recover(); p != nil {
			c.server.cfg.Log.Error().Any("panic", p).Bytes("stack", debug.Stack()).Bytes("request", c.in.kind).Msg("a handler panicked")
			err = fmt.Errorf("a handler panicked: %w", messages.Internal)
		}
	}()
	if h, err = c.choose(); err == nil {
		err = h.handle(c)
	}
	return h, err
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
		Token: c.in.header("accessToken"), Username: c.in.header("username"), Password: c.in.header("password"),
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
