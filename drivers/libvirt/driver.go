//go:build cgo && !nolibvirt

package libvirt

import (
	"context"
	"fmt"
	"sync"
	"time"

	lv "libvirt.org/go/libvirt"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/drivers/internal/feed"
	"github.com/troupe-cloud/troupe/drivers/internal/gate"
	"github.com/troupe-cloud/troupe/drivers/internal/shared"
	"github.com/troupe-cloud/troupe/messages"
)

// Driver is one libvirtd. It implements drivers.Driver.
type Driver struct {
	cfg   Config
	kind  string // of new domains: kvm or qemu
	cache string // of their disks
	gate  *gate.Gate

	storage *shared.Storage   // nil: the disks are this host's own
	halfway func(what string) // tests: called between the check of a fence and the act

	feed    feed.Feed
	look    chan struct{}
	closing chan struct{}
	ended   chan struct{}
	close   func()

	mu      sync.Mutex
	link    *link // nil: not connected
	pending map[string]bool
	waiting map[string]map[int]chan struct{}
	waiters int
	locks   map[string]*operation // by instance; one changing operation each
}

// operation is a changing operation under way.
type operation struct {
	free    chan struct{} // closed when it has ended
	changed bool          // an event came for the domain meanwhile
}

var _ drivers.Driver = (*Driver)(nil)

// New connects to a hypervisor. It fails if that cannot be reached now; a
// connection lost later comes back by itself.
func New(ctx context.Context, cfg Config) (*Driver, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	if err := startLoop(); err != nil {
		return nil, err
	}
	d := &Driver{
		cfg: cfg, kind: hostDomainType(), cache: cfg.cacheMode(),
		look: make(chan struct{}, 1), closing: make(chan struct{}), ended: make(chan struct{}),
		pending: map[string]bool{}, waiting: map[string]map[int]chan struct{}{}, locks: map[string]*operation{},
	}
	d.gate = gate.New(cfg.gatePath())
	if cfg.Shared {
		var err error
		if d.storage, err = shared.Open(ctx, cfg.Dir); err != nil {
			return nil, wrap("open the instances' folder", "", err)
		}
	}
	d.close = sync.OnceFunc(func() { close(d.closing) })
	l, err := call(ctx, func() (*link, error) {
		l, err := dial(cfg.URI, d.changed)
		if err == nil && ctx.Err() != nil { // nobody waits for it any more
			l.close()
			return nil, ctx.Err()
		}
		return l, err
	})
	if err != nil {
		return nil, wrap("connect to "+cfg.URI, "", err)
	}
	d.attach(l)
	go d.supervise(l)
	go d.lookout()
	go d.housekeep()
	return d, nil
}

// Close ends the connection. Domains go on running.
func (d *Driver) Close() error {
	d.close()
	<-d.ended
	return nil
}

// Watch reports changes until ctx ends; Connected comes first.
func (d *Driver) Watch(ctx context.Context) <-chan drivers.Event { return d.feed.Watch(ctx) }

// ask runs a reading operation with the connection.
func ask[T any](ctx context.Context, d *Driver, what, id string, f func(*lv.Connect) (T, error)) (T, error) {
	v, err := call(ctx, func() (T, error) {
		conn, err := d.connection()
		if err != nil {
			var none T
			return none, err
		}
		defer conn.Close()
		return f(conn)
	})
	return v, wrap(what, id, err)
}

// abandonAfter is how long an operation may go on after its context has ended,
// to undo what it began. After that the caller is told that the outcome is
// unknown, and the operation goes on alone.
const abandonAfter = 10 * time.Second

// change runs a changing operation: one at a time for an instance, even if the
// caller has given one up that is still under way; and inside the gate.
func (d *Driver) change(ctx context.Context, what, id string, fence drivers.Fence, f func(context.Context, *turn, *lv.Connect) error) error {
	unlock, err := d.lock(ctx, id)
	if err != nil {
		return wrap(what, id, err)
	}
	done := make(chan error, 1)
	go func() {
		defer unlock()
		conn, err := d.connection()
		if err == nil {
			defer conn.Close()
			err = d.takeTurn(ctx, what, fence, func(t *turn) error { return f(ctx, t, conn) })
		}
		done <- wrap(what, id, err)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(abandonAfter):
		return fmt.Errorf("%s %s: %w, and libvirt does not answer: %w", what, id, ctx.Err(), messages.Unavailable)
	}
}

// lock waits for the instance's earlier operation to end.
func (d *Driver) lock(ctx context.Context, id string) (unlock func(), err error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		d.mu.Lock()
		busy, ok := d.locks[id]
		if !ok {
			o := &operation{free: make(chan struct{})}
			d.locks[id] = o
			d.mu.Unlock()
			return func() { d.unlock(id, o) }, nil
		}
		d.mu.Unlock()
		select {
		case <-busy.free:
		case <-ctx.Done():
		}
	}
}

// unlock ends an operation, and has the domain looked at if something happened to
// it meanwhile.
func (d *Driver) unlock(id string, o *operation) {
	d.mu.Lock()
	delete(d.locks, id)
	changed := o.changed
	d.mu.Unlock()
	close(o.free)
	if changed {
		d.changed(namePrefix + id)
	}
}
