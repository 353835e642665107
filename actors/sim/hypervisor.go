package sim

import (
	"cmp"
	"slices"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

type domain struct {
	power messages.PowerState
	order uint64
	epoch uint64
}

// job is one driver operation: running, and what waits for it to end.
type job struct {
	order *messages.OrderHost
	next  *messages.OrderHost
	stamp uint64
}

// work names an operation: each epoch's controller has its own.
type work struct {
	epoch    uint64
	instance string
}

// hypervisor is a machine that outlives its controller. What it tells the host
// arrives in order, and is told again until the host has taken it.
type hypervisor struct {
	w         *World
	name      string
	domains   map[string]domain
	led       uint64 // the newest epoch that it has seen
	jobs      map[work]*job
	seen      map[work]uint64 // the newest order that was driven
	stamp     uint64
	home      bool   // the node that drives it is in the cloud
	epoch     uint64 // of that node's registration, the latest
	connected bool
	inbox     []actors.Message
	busy      bool
	line      int // numbers the connections
}

func newHypervisor(w *World, name string) *hypervisor {
	return &hypervisor{w: w, name: name, domains: map[string]domain{}, jobs: map[work]*job{}, seen: map[work]uint64{}}
}

func (h *hypervisor) ref() actors.Ref { return actors.Ref{Kind: "host", ID: h.name} }

// say queues a message to the host grain.
func (h *hypervisor) say(m actors.Message) {
	h.inbox = append(h.inbox, m)
	h.pump()
}

func (h *hypervisor) pump() {
	if h.busy || len(h.inbox) == 0 {
		return
	}
	h.busy = true
	line := h.line
	h.w.after(h.w.delay()/8, func() {
		if line != h.line {
			return
		}
		h.w.deliverHome(h, h.inbox[0], func(_ actors.Message, err error) {
			if line != h.line {
				return // it was the node's death that answered
			}
			h.busy = false
			if messages.KindOf(err) != messages.ErrorKind_ERROR_KIND_UNAVAILABLE {
				h.inbox = h.inbox[1:]
			}
			h.pump()
		})
	})
}

// connect lists what is there and tells the host, after forgetting what an
// earlier connection had to say.
func (h *hypervisor) connect() {
	h.connected, h.inbox, h.busy = true, nil, false
	h.line++
	h.list()
}

// list says what is there now.
func (h *hypervisor) list() {
	h.led = max(h.led, h.epoch)
	m := &messages.HostConnected{
		AvailabilityZone: "nova",
		Inventory:        &messages.Inventory{HypervisorHostname: h.name, HypervisorType: "sim", Vcpus: 4, RamMib: 2048, DiskGib: 20, Arch: "x86_64", Storage: h.w.storage()},
	}
	for _, id := range sorted(h.domains) {
		m.Domains = append(m.Domains, &messages.DomainSeen{InstanceId: id, Power: h.domains[id].power, Order: h.domains[id].order})
	}
	h.say(m)
}

func (h *hypervisor) disconnect() {
	if !h.connected || !h.home {
		return
	}
	h.w.logf("%s is lost", h.name)
	h.connected = false
	h.say(&messages.HostLost{Reason: "simulated"})
	line := h.line
	h.w.after(2*time.Second, func() {
		if !h.connected && line == h.line {
			h.orphan()
			h.connect()
		}
	})
}

// drive follows actors.Drive: an older order than was driven is dropped, a newer
// one waits for the older one to end.
func (h *hypervisor) drive(o *messages.OrderHost, epoch uint64) {
	key := work{epoch, o.InstanceId}
	if o.Order < h.seen[key] {
		return
	}
	h.seen[key] = o.Order
	if !h.connected && epoch == h.epoch {
		h.say(&messages.DriverDone{
			InstanceId: o.InstanceId, Order: o.Order, Kind: o.Kind, Error: "not connected",
			ErrorKind: messages.ErrorKind_ERROR_KIND_UNAVAILABLE,
		})
		return
	}
	if j := h.jobs[key]; j != nil {
		same := func(x *messages.OrderHost) bool { return x != nil && x.Order == o.Order && x.Kind == o.Kind }
		if !same(j.order) && !same(j.next) && (j.next == nil || j.next.Order <= o.Order) {
			j.next = o
		}
		return
	}
	h.run(o, epoch)
}

func (h *hypervisor) run(o *messages.OrderHost, epoch uint64) {
	h.jobs[work{epoch, o.InstanceId}] = &job{order: o}
	h.later(o, epoch, time.Duration(h.w.rng.Int64N(int64(2*time.Second))))
}

// later ends an operation after that time, and not before.
func (h *hypervisor) later(o *messages.OrderHost, epoch uint64, took time.Duration) {
	key := work{epoch, o.InstanceId}
	h.stamp++
	stamp := h.stamp
	h.jobs[key].stamp = stamp
	h.w.after(took, func() {
		if j := h.jobs[key]; j == nil || j.stamp != stamp {
			return
		}
		h.finish(o, epoch)
	})
}

func (h *hypervisor) finish(o *messages.OrderHost, epoch uint64) {
	key := work{epoch, o.InstanceId}
	next := h.jobs[key].next
	delete(h.jobs, key)
	if epoch < h.led {
		h.w.logf("%s refuses %v order %d of %s: epoch %d, it has seen %d", h.name, o.Kind, o.Order, o.InstanceId, epoch, h.led)
		h.apply(o, epoch)
		return
	}
	done := &messages.DriverDone{InstanceId: o.InstanceId, Order: o.Order, Kind: o.Kind}
	switch {
	case h.w.chance(h.w.faults.DriverFails):
		done.ErrorKind, done.Error = h.someError(), "simulated failure"
	case h.w.chance(h.w.faults.DriverLies):
		h.apply(o, epoch)
		done.ErrorKind, done.Error = h.someError(), "simulated failure, but done"
	default:
		done.ErrorKind = h.apply(o, epoch)
	}
	d, ok := h.domains[o.InstanceId]
	done.Power, done.Absent = d.power, !ok
	h.w.logf("%s %v order %d of %s: %v %v", h.name, o.Kind, o.Order, o.InstanceId, done.ErrorKind, d.power)
	if epoch == h.epoch { // of a controller that was replaced nobody hears
		h.say(done)
	}
	if next != nil {
		h.run(next, epoch)
	}
}

func (h *hypervisor) someError() messages.ErrorKind {
	all := []messages.ErrorKind{
		messages.ErrorKind_ERROR_KIND_UNAVAILABLE, messages.ErrorKind_ERROR_KIND_INTERNAL, messages.ErrorKind_ERROR_KIND_EXHAUSTED,
	}
	return all[h.w.rng.IntN(len(all))]
}

// apply makes the order true, or says why it cannot be.
func (h *hypervisor) apply(o *messages.OrderHost, epoch uint64) messages.ErrorKind {
	if epoch < h.led {
		return messages.ErrorKind_ERROR_KIND_CONFLICT
	}
	h.led = epoch
	d, ok := h.domains[o.InstanceId]
	if ok && (o.Order < d.order || epoch < d.epoch) {
		return messages.ErrorKind_ERROR_KIND_CONFLICT
	}
	switch o.Kind {
	case messages.OrderKind_ORDER_KIND_LOOK:
		return 0
	case messages.OrderKind_ORDER_KIND_BUILD:
		return h.build(o, epoch, d, ok)
	case messages.OrderKind_ORDER_KIND_DELETE, messages.OrderKind_ORDER_KIND_RELEASE:
		delete(h.domains, o.InstanceId)
		h.letGo(o)
		return 0
	case messages.OrderKind_ORDER_KIND_YIELD:
		if !ok {
			return 0
		}
	}
	if !ok {
		return messages.ErrorKind_ERROR_KIND_NOT_FOUND
	}
	d.order, d.epoch, d.power = o.Order, epoch, messages.PowerState_POWER_STATE_RUNNING
	if o.Kind == messages.OrderKind_ORDER_KIND_STOP || o.Kind == messages.OrderKind_ORDER_KIND_YIELD {
		d.power = messages.PowerState_POWER_STATE_SHUTDOWN
	} else if !h.keeps(o) {
		return messages.ErrorKind_ERROR_KIND_CONFLICT
	}
	h.domains[o.InstanceId] = d
	return 0
}

func (h *hypervisor) build(o *messages.OrderHost, epoch uint64, d domain, ok bool) messages.ErrorKind {
	if kind := h.ownDisk(o); kind != 0 {
		return kind
	}
	power := messages.PowerState_POWER_STATE_RUNNING
	if o.Spec.GetStopped() {
		if power = messages.PowerState_POWER_STATE_SHUTDOWN; ok {
			power = d.power
		}
	}
	h.domains[o.InstanceId] = domain{power, o.Order, epoch}
	return 0
}

// orphan ends the operations of controllers that died: each was done or not.
func (h *hypervisor) orphan() {
	for _, k := range h.underWay() {
		if h.w.rng.IntN(2) == 0 {
			h.apply(h.jobs[k].order, k.epoch)
		}
	}
	h.jobs, h.seen = map[work]*job{}, map[work]uint64{}
}

func (h *hypervisor) underWay() []work {
	keys := make([]work, 0, len(h.jobs))
	for k := range h.jobs {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b work) int {
		return cmp.Or(cmp.Compare(a.epoch, b.epoch), cmp.Compare(a.instance, b.instance))
	})
	return keys
}

// killOne ends a running machine behind everybody's back.
func (h *hypervisor) killOne() {
	for _, id := range sorted(h.domains) {
		if d := h.domains[id]; d.power == messages.PowerState_POWER_STATE_RUNNING {
			d.power = messages.PowerState_POWER_STATE_CRASHED
			h.domains[id] = d
			h.w.logf("%s: %s died", h.name, id)
			if h.connected {
				h.say(&messages.DomainObserved{Domain: &messages.DomainSeen{InstanceId: id, Power: d.power, Order: d.order}})
			}
			return
		}
	}
}
