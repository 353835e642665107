package peer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// Dialer is the connections to members: of a member (in its Server), or of a
// program that only asks. Safe for concurrent use.
type Dialer struct {
	c     Config
	codec codec
	self  atomic.Pointer[view.Member]

	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	links  map[string]*link
	conns  map[string]*grpc.ClientConn
	closed bool
}

// NewDialer is for programs that only ask (RoleClient). It dials when used. A
// member without an ID or a Name stands for whichever node is at its Address.
func NewDialer(c Config) (*Dialer, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	d := &Dialer{c: c, codec: newCodec(), links: map[string]*link{}, conns: map[string]*grpc.ClientConn{}}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.self.Store(&c.Self)
	return d, nil
}

// Send sends a call to a member and never blocks; e may be changed once it has
// returned. answer is called exactly once, on another goroutine, and must not
// block: with the reply; or with ErrBusy, ErrUnreachable (ErrRefused, ErrNotMe,
// ErrRejected, ErrStopped), ErrTooLarge: it was not sent; or with ErrBroken,
// ErrTimeout: the outcome is unknown. A tell's answer may be nil; it is called
// with nil, nil once the tell has been given to the stream.
func (d *Dialer) Send(to view.Member, e *messages.Envelope, answer func(*messages.Reply, error)) {
	deadline := time.Now().Add(MaxWait)
	if ms := e.GetDeadlineUnixMs(); ms != 0 {
		deadline = time.UnixMilli(ms)
	}
	d.send(to, e, deadline, answer)
}

func (d *Dialer) send(to view.Member, e *messages.Envelope, deadline time.Time, answer func(*messages.Reply, error)) (*link, *call) {
	var c *call
	if answer != nil {
		c = &call{reply: answer, tell: e.GetTell()}
	}
	l, err := d.link(to)
	if err != nil {
		go c.fail(err)
		return nil, c
	}
	l.send(&messages.Frame{Body: &messages.Frame_Call{Call: e}}, c, deadline, false)
	return l, c
}

// Call sends, and waits for the answer until ctx ends or e's deadline.
func (d *Dialer) Call(ctx context.Context, to view.Member, e *messages.Envelope) (*messages.Reply, error) {
	type result struct {
		reply *messages.Reply
		err   error
	}
	got := make(chan result, 1)
	l, c := d.send(to, e, bound(ctx, e.GetDeadlineUnixMs()), func(r *messages.Reply, err error) { got <- result{r, err} })
	select {
	case r := <-got:
		return r.reply, r.err
	case <-ctx.Done():
		if l != nil {
			l.expire(c) // unless it has just been answered
		}
		r := <-got
		if r.err != nil && context.Cause(ctx) != context.DeadlineExceeded {
			r.err = fmt.Errorf("%w: %w", ctx.Err(), r.err)
		}
		return r.reply, r.err
	}
}

// bound is the earlier of ctx's deadline, the other one and MaxWait.
func bound(ctx context.Context, unixMS int64) time.Time {
	at := time.Now().Add(MaxWait)
	if t, ok := ctx.Deadline(); ok && t.Before(at) {
		at = t
	}
	if t := time.UnixMilli(unixMS); unixMS != 0 && t.Before(at) {
		at = t
	}
	return at
}

// Ping pings, and passes what waits. Its error is never one remembered from an
// earlier attempt: each Ping that finds no stream dials.
func (d *Dialer) Ping(ctx context.Context, to view.Member, p *messages.Ping) (*messages.Pong, error) {
	l, err := d.link(to)
	if err != nil {
		return nil, err
	}
	type result struct {
		pong *messages.Pong
		err  error
	}
	got := make(chan result, 1)
	c := &call{pong: func(p *messages.Pong, err error) { got <- result{p, err} }}
	l.send(&messages.Frame{Body: &messages.Frame_Ping{Ping: p}}, c, bound(ctx, 0), true)
	select {
	case r := <-got:
		return r.pong, r.err
	case <-ctx.Done():
		l.expire(c)
		r := <-got
		return r.pong, r.err
	}
}

// Notify sends a notice, which may be lost.
func (d *Dialer) Notify(to view.Member, n *messages.Notice) {
	if l, err := d.link(to); err == nil {
		l.send(&messages.Frame{Body: &messages.Frame_Notice{Notice: n}}, nil, time.Time{}, false)
	}
}

func keyOf(m view.Member) string {
	if m.ID != "" {
		return m.ID
	}
	return m.Name + "@" + m.Address
}

func (d *Dialer) link(to view.Member) (*link, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, ErrStopped
	}
	key := keyOf(to)
	l := d.links[key]
	if l == nil {
		l = newLink(d, to)
		d.links[key] = l
	}
	return l, nil
}

var errDeparted = fmt.Errorf("it is no member any more: %w", ErrUnreachable)

// Retain closes the connections to all others.
func (d *Dialer) Retain(members []view.Member) {
	keep := make(map[string]bool, len(members))
	for _, m := range members {
		keep[keyOf(m)] = true
	}
	for _, l := range d.forget(func(key string) bool { return !keep[key] }) {
		go l.close(errDeparted)() // whoever calls may hold what the answers need
	}
}

// forget takes links off the list, and closes what else belongs to them.
func (d *Dialer) forget(which func(key string) bool) []*link {
	d.mu.Lock()
	defer d.mu.Unlock()
	var gone []*link
	for key, l := range d.links {
		if which(key) {
			gone = append(gone, l)
			delete(d.links, key)
		}
	}
	for key, conn := range d.conns {
		if which(key) {
			_ = conn.Close()
			delete(d.conns, key)
		}
	}
	return gone
}

// Close closes every connection. What was sent and not answered gets ErrBroken
// before it returns.
func (d *Dialer) Close() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	for _, l := range d.forget(func(string) bool { return true }) {
		l.close(ErrStopped)()
	}
	d.cancel()
	d.running.Wait()
	return nil
}

// gone tells the handler that a stream has ended.
func (d *Dialer) gone(with Identity) {
	if h, ok := d.c.Handler.(Leaver); ok {
		defer func() {
			if v := recover(); v != nil {
				d.c.panicked("gone", v)
			}
		}()
		h.Gone(with)
	}
}

var errSelf = errors.New("this process has joined again under another id")

// setSelf changes how this process presents itself. A new id ends every stream.
func (d *Dialer) setSelf(m view.Member) (changed bool) {
	before := d.self.Swap(&m)
	if before.ID == m.ID {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.links {
		l.kick(errSelf)
	}
	return true
}
