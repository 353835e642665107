package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

// How long one driver operation may take. Where the guest is asked first, its
// grace comes on top.
const (
	buildTimeout  = 15 * time.Minute // it may fetch the image
	powerTimeout  = 2 * time.Minute
	deleteTimeout = 5 * time.Minute
	lookTimeout   = 30 * time.Second
)

// lane is what one instance has under way on a host: at most one operation, and
// the one that comes next.
type lane struct {
	running, next *task
	cancel        context.CancelFunc // of running
}

// task is an order with the epoch of the activation that gave it: it stays that
// epoch's, however long it waits.
type task struct {
	*messages.OrderHost
	epoch uint64
}

func (t *task) fence() drivers.Fence { return drivers.Fence{Epoch: t.epoch, Order: t.Order} }

// drive has an order carried out, as actors.Drive says.
func (h *hosts) drive(name string, epoch uint64, order *messages.OrderHost) {
	o := &task{order, epoch}
	a := h.find(name)
	if a == nil {
		// The order stands in the host's state, and comes again once the
		// driver is attached.
		h.node.log.Debug().Str("host", name).Str("instance", o.GetInstanceId()).Msg("an order for a host that is not here")
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.driven.newest(o.InstanceId, o.Order) {
		return
	}
	if l := a.lanes[o.InstanceId]; l != nil {
		l.offer(o)
		return
	}
	l := &lane{next: o}
	if a.begin(func() { a.run(o.InstanceId, l) }) {
		a.lanes[o.InstanceId] = l
		h.driving.Add(1)
	}
}

// offer takes an order that comes while another runs: a newer one breaks the
// older off and comes next; a look waits for its turn; the rest is known.
func (l *lane) offer(o *task) {
	look := o.Kind == messages.OrderKind_ORDER_KIND_LOOK
	switch {
	case l.next != nil:
		if newer(o, l.next) {
			l.next = o
		}
	case look && l.running.Kind == messages.OrderKind_ORDER_KIND_LOOK && o.epoch == l.running.epoch:
		return
	case look || newer(o, l.running):
		l.next = o
	}
	// What runs is nil before the first order has begun.
	if l.running != nil && (o.epoch > l.running.epoch || !look && newer(o, l.running)) {
		l.cancel()
	}
}

// newer says whether a replaces b: what a newer epoch asks for does, and any order
// replaces a look.
func newer(a, b *task) bool {
	const look = messages.OrderKind_ORDER_KIND_LOOK
	if a.epoch != b.epoch {
		return a.epoch > b.epoch
	}
	if a.Order == b.Order {
		return a.Kind != look && b.Kind == look
	}
	return a.Order > b.Order
}

// run carries out what comes on a lane until nothing does.
func (a *host) run(id string, l *lane) {
	defer a.hosts.driving.Add(-1)
	for {
		a.mu.Lock()
		o := l.next
		if o == nil {
			delete(a.lanes, id)
			a.mu.Unlock()
			return
		}
		ctx, cancel := context.WithCancel(a.ctx)
		l.running, l.next, l.cancel = o, nil, cancel
		a.mu.Unlock()
		if began, err := a.carryOut(ctx, o); began {
			a.report(ctx, o, err)
		}
		cancel()
	}
}

// carryOut waits for its turn and has the driver do one order.
func (a *host) carryOut(ctx context.Context, o *task) (began bool, err error) {
	if !acquire(ctx, a.slots) {
		return false, nil
	}
	defer release(a.slots)
	if !acquire(ctx, a.hosts.slots) {
		return false, nil
	}
	defer release(a.hosts.slots)
	ctx, cancel := context.WithTimeout(ctx, timeout(o))
	defer cancel()
	return true, guard(func() error { return a.operate(ctx, o) })
}

// report tells the host grain how an order ended, and makes sure that it has
// taken it. Of an order that was broken off nobody needs to know.
func (a *host) report(ctx context.Context, o *task, err error) {
	if errors.Is(err, drivers.ErrSuperseded) {
		// Nothing was done: the order is for whoever drives the hypervisor now. If
		// that should be this node, the list that comes will tell who it is.
		signal(a.resync)
		return
	}
	if messages.KindOf(err) == messages.ErrorKind_ERROR_KIND_INTERNAL && ctx.Err() == nil {
		a.hosts.node.log.Error().Err(err).Str("host", a.name).Str("instance", o.InstanceId).
			Stringer("order", o.Kind).Msg("a driver failed")
	}
	for pause := askPause; ctx.Err() == nil; pause = min(2*pause, lastNudge) {
		taken := make(chan error, 1)
		said := a.lookAndPost(ctx, o, err, func(err error) { taken <- err })
		if said == nil {
			select {
			case said = <-taken:
			case <-ctx.Done():
				return
			}
		}
		if !isUnavailable(said) {
			return
		}
		sleep(ctx, jitter(pause))
	}
}

// lookAndPost reads what the order has left and posts the outcome. No list of
// all domains is read meanwhile: it could be older than this and be told later.
func (a *host) lookAndPost(ctx context.Context, o *task, err error, then func(error)) error {
	a.facts.RLock()
	defer a.facts.RUnlock()
	done := &messages.DriverDone{InstanceId: o.InstanceId, Order: o.Order, Kind: o.Kind}
	// Also of an order that failed: what the machine is now, only looking tells.
	if unseen := guard(func() error { return a.look(ctx, o, done, err) }); unseen != nil && (err == nil || isUnavailable(unseen)) {
		err = unseen
	}
	if err != nil {
		done.ErrorKind, done.Error = messages.KindOf(err), messages.Sentence(err)
	}
	return a.post(done, then)
}

func (a *host) operate(ctx context.Context, o *task) error {
	grace := time.Duration(o.GraceMs) * time.Millisecond
	switch o.Kind {
	case messages.OrderKind_ORDER_KIND_BUILD:
		spec := proto.Clone(o.Spec).(*messages.DomainSpec)
		spec.Epoch = o.epoch
		return a.driver.Build(ctx, spec)
	case messages.OrderKind_ORDER_KIND_START:
		return a.driver.Start(ctx, o.InstanceId, o.fence())
	case messages.OrderKind_ORDER_KIND_STOP:
		return a.driver.Stop(ctx, o.InstanceId, o.fence(), grace)
	case messages.OrderKind_ORDER_KIND_REBOOT_SOFT:
		return a.driver.Reboot(ctx, o.InstanceId, o.fence(), grace)
	case messages.OrderKind_ORDER_KIND_REBOOT_HARD:
		return a.driver.Reboot(ctx, o.InstanceId, o.fence(), 0)
	case messages.OrderKind_ORDER_KIND_DELETE:
		return a.driver.Delete(ctx, o.InstanceId, o.fence())
	case messages.OrderKind_ORDER_KIND_RELEASE:
		return a.driver.Release(ctx, o.InstanceId, o.fence())
	case messages.OrderKind_ORDER_KIND_YIELD:
		err := a.driver.Stop(ctx, o.InstanceId, o.fence(), 0)
		if errors.Is(err, messages.NotFound) {
			return nil // what is not there does not run
		}
		return err
	case messages.OrderKind_ORDER_KIND_LOOK:
		return nil
	}
	return fmt.Errorf("an order of kind %v: %w", o.Kind, messages.Invalid)
}

// look reads what the operation, which ended with err, has left.
func (a *host) look(ctx context.Context, o *task, done *messages.DriverDone, err error) error {
	if (o.Kind == messages.OrderKind_ORDER_KIND_DELETE || o.Kind == messages.OrderKind_ORDER_KIND_RELEASE) && err == nil {
		done.Absent = true
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	d, err := a.driver.Domain(ctx, o.InstanceId)
	if errors.Is(err, messages.NotFound) {
		done.Absent = true
		return nil
	}
	done.Power = d.Power
	return err
}

func timeout(o *task) time.Duration {
	switch o.Kind {
	case messages.OrderKind_ORDER_KIND_BUILD:
		return buildTimeout
	case messages.OrderKind_ORDER_KIND_DELETE, messages.OrderKind_ORDER_KIND_RELEASE:
		return deleteTimeout
	}
	return powerTimeout + time.Duration(o.GraceMs)*time.Millisecond
}
