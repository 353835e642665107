//go:build cgo && !nolibvirt

package libvirt

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/rs/zerolog"
	lv "libvirt.org/go/libvirt"

	"github.com/troupe-cloud/troupe/messages"
)

// Keep-alive of the connection: a daemon that is silent this long is lost. And
// how long to wait between attempts to connect.
const (
	keepAliveSeconds = 5
	keepAliveCount   = 3
	firstBackOff     = 100 * time.Millisecond
	lastBackOff      = 5 * time.Second
)

// link is one connection, from connect to loss.
type link struct {
	conn  *lv.Connect
	event int           // id of the callback
	lost  chan struct{} // closed when libvirt says that it is gone
}

// dial connects and asks for events. Every domain's events come through changed,
// which must not call libvirt: it runs in the event loop.
func dial(uri string, changed func(name string)) (*link, error) {
	conn, err := lv.NewConnect(uri)
	if err != nil {
		return nil, err
	}
	l := &link{conn: conn, event: -1, lost: make(chan struct{})}
	// A local driver (test:///) has no keep-alive; the error says just that.
	if err := conn.SetKeepAlive(keepAliveSeconds, keepAliveCount); err != nil && !is(err, lv.ERR_NO_SUPPORT) {
		l.close()
		return nil, err
	}
	told := false
	err = conn.RegisterCloseCallback(func(*lv.Connect, lv.ConnectCloseReason) {
		if !told {
			told = true
			close(l.lost)
		}
	})
	if err != nil && !is(err, lv.ERR_NO_SUPPORT) {
		l.close()
		return nil, err
	}
	l.event, err = conn.DomainEventLifecycleRegister(nil, func(_ *lv.Connect, dom *lv.Domain, _ *lv.DomainEventLifecycle) {
		if name, err := dom.GetName(); err == nil {
			changed(name)
		}
	})
	if err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *link) close() {
	if l.event >= 0 {
		_ = l.conn.DomainEventDeregister(l.event) // fails on a connection that is lost
	}
	_ = l.conn.UnregisterCloseCallback()
	_, _ = l.conn.Close()
}

// supervise keeps a connection, from the first one on, which is attached already,
// until the driver closes.
func (d *Driver) supervise(l *link) {
	defer close(d.ended)
	for l != nil {
		select {
		case <-l.lost:
			d.detach("libvirt ended the connection")
			l.close()
			if l = d.redial(); l != nil {
				d.attach(l)
			}
		case <-d.closing:
			d.detach("the driver is closed")
			l.close()
			return
		}
	}
}

// redial connects again, waiting longer after each failure; nil when the driver closes.
func (d *Driver) redial() *link {
	for wait := firstBackOff; ; wait = min(2*wait, lastBackOff) {
		l, err := dial(d.cfg.URI, d.changed)
		if err == nil {
			return l
		}
		d.cfg.Log.Debug().Err(err).Dur("again_in", wait).Msg("libvirt cannot be reached")
		select {
		case <-time.After(wait):
		case <-d.closing:
			return nil
		}
	}
}

func (d *Driver) attach(l *link) {
	d.mu.Lock()
	d.link = l
	d.mu.Unlock()
	d.cfg.Log.Info().Str("uri", d.cfg.URI).Msg("connected to libvirt")
	d.feed.Connected()
}

// detach ends the use of the connection. Whoever waits for an event of a domain is
// woken: no event will come.
func (d *Driver) detach(reason string) {
	d.mu.Lock()
	d.link = nil
	for _, waiting := range d.waiting {
		for _, w := range waiting {
			wake(w)
		}
	}
	d.mu.Unlock()
	level := zerolog.WarnLevel
	select {
	case <-d.closing: // nobody lost it: the driver was closed
		level = zerolog.DebugLevel
	default:
	}
	d.cfg.Log.WithLevel(level).Str("uri", d.cfg.URI).Str("reason", reason).Msg("lost libvirt")
	d.feed.Lost(reason)
}

// connection is the live connection, to be given back with Close: it counts its
// users, so that it is not freed under a call.
func (d *Driver) connection() (*lv.Connect, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.link == nil {
		return nil, fmt.Errorf("no connection to libvirt: %w", messages.Unavailable)
	}
	if err := d.link.conn.Ref(); err != nil {
		return nil, wrap("libvirt", "", err)
	}
	return d.link.conn, nil
}

// changed notes that a domain should be looked at. It is called in the event loop
// and only hands the name on; many events of one domain become one look.
func (d *Driver) changed(name string) {
	id, ours := strings.CutPrefix(name, namePrefix)
	if !ours {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pending[id] = true
	select {
	case d.look <- struct{}{}:
	default:
	}
}

// lookout looks at the domains that changed, tells watchers, and wakes who waits.
func (d *Driver) lookout() {
	for {
		select {
		case <-d.look:
		case <-d.closing:
			return
		}
		d.mu.Lock()
		ids := d.pending
		d.pending = map[string]bool{}
		d.mu.Unlock()
		for id := range ids {
			d.lookAt(id)
		}
	}
}

// await hands out a channel that gets a value whenever the domain changed.
func (d *Driver) await(id string) (changed <-chan struct{}, end func()) {
	w := make(chan struct{}, 1)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting[id] == nil {
		d.waiting[id] = map[int]chan struct{}{}
	}
	d.waiters++
	n := d.waiters
	d.waiting[id][n] = w
	return w, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if delete(d.waiting[id], n); len(d.waiting[id]) == 0 {
			delete(d.waiting, id)
		}
	}
}

func wake(w chan struct{}) {
	select {
	case w <- struct{}{}:
	default:
	}
}

// call runs f, which makes calls into C that nothing can interrupt, and returns
// when it ends or ctx does. An f that is left behind goes on alone.
func call[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	if err := ctx.Err(); err != nil {
		var none T
		return none, err
	}
	done := make(chan result, 1)
	go func() {
		v, err := f()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
