package sim

import (
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

type domain struct {
	power messages.PowerState
	order uint64
}

// job is one driver operation: running, and what waits for it to end.
type job struct {
	order *messages.OrderHost
	next  *messages.OrderHost
	stamp uint64
}

// hypervisor is a machine that outlives its controller. What it tells the host
// arrives in order, and is told again until the host has taken it.
type hypervisor struct {
	w         *World
	name      string
	domains   map[string]domain
	jobs      map[string]*job
	seen      map[string]uint64 // the newest order that this controller has driven
	stamp     uint64
	connected bool
	inbox     []actors.Message
	busy      bool
	epoch     int
}

func newHypervisor(w *World, name string) *hypervisor {
	return &hypervisor{w: w, name: name, domains: map[string]domain{}, jobs: map[string]*job{}, seen: map[string]uint64{}}
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
	epoch := h.epoch
	h.w.after(h.w.delay()/8, func() {
		if epoch != h.epoch {
			return
		}
		h.w.deliver(h.ref(), h.inbox[0], func(_ actors.Message, err error) {
			if epoch != h.epoch {
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
	h.epoch++
	h.list()
}

// list says what is there now.
func (h *hypervisor) list() {
	m := &messages.HostConnected{
		AvailabilityZone: "nova",
		Inventory:        &messages.Inventory{HypervisorHostname: h.name, HypervisorType: "sim", Vcpus: 4, RamMib: 2048, DiskGib: 20, Arch: "x86_64"},
	}
	for _, id := range sorted(h.domains) {
		m.Domains = append(m.Domains, &messages.DomainSeen{InstanceId: id, Power: h.domains[id].power, Order: h.domains[id].order})
	}
	h.say(m)
}

func (h *hypervisor) disconnect() {
	if !h.connected {
		return
	}
	h.w.logf("%s is lost", h.name)
	h.connected = false
	h.say(&messages.HostLost{Reason: "simulated"})
	h.w.after(2*time.Second, func() {
		if !h.connected {
			h.orphan()
			h.connect()
		}
	})
}

// drive follows actors.Drive: an older order than was driven is dropped, a newer
// one waits for the older one to end.
func (h *hypervisor) drive(o *messages.OrderHost) {
	if o.Order < h.seen[o.InstanceId] {
		return
	}
	h.seen[o.InstanceId] = o.Order
	if !h.connected {
		h.say(&messages.DriverDone{
			InstanceId: o.InstanceId, Order: o.Order, Kind: o.Kind, Error: "not connected",
			ErrorKind: messages.ErrorKind_ERROR_KIND_UNAVAILABLE,
		})
		return
	}
	if j := h.jobs[o.InstanceId]; j != nil {
		same := func(x *messages.OrderHost) bool { return x != nil && x.Order == o.Order && x.Kind == o.Kind }
		if !same(j.order) && !same(j.next) && (j.next == nil || j.next.Order <= o.Order) {
			j.next = o
		}
		return
	}
	h.run(o)
}

func (h *hypervisor) run(o *messages.OrderHost) {
	h.stamp++
	stamp := h.stamp
	h.jobs[o.InstanceId] = &job{order: o, stamp: stamp}
	took := time.Duration(h.w.rng.Int64N(int64(2 * time.Second)))
	h.w.after(took, func() {
		if j := h.jobs[o.InstanceId]; j == nil || j.stamp != stamp {
			return
		}
		h.finish(o)
	})
}

func (h *hypervisor) finish(o *messages.OrderHost) {
	next := h.jobs[o.InstanceId].next
	delete(h.jobs, o.InstanceId)
	done := &messages.DriverDone{InstanceId: o.InstanceId, Order: o.Order, Kind: o.Kind}
	switch {
	case h.w.chance(h.w.faults.DriverFails):
		done.ErrorKind, done.Error = h.someError(), "simulated failure"
	case h.w.chance(h.w.faults.DriverLies):
		h.apply(o)
		done.ErrorKind, done.Error = h.someError(), "simulated failure, but done"
	default:
		done.ErrorKind = h.apply(o)
	}
	d, ok := h.domains[o.InstanceId]
	done.Power, done.Absent = d.power, !ok
	h.w.logf("%s %v order %d of %s: %v %v", h.name, o.Kind, o.Order, o.InstanceId, done.ErrorKind, d.power)
	h.say(done)
	if next != nil {
		h.run(next)
	}
}

func (h *hypervisor) someError() messages.ErrorKind {
	all := []messages.ErrorKind{
		messages.ErrorKind_ERROR_KIND_UNAVAILABLE, messages.ErrorKind_ERROR_KIND_INTERNAL, messages.ErrorKind_ERROR_KIND_EXHAUSTED,
	}
	return all[h.w.rng.IntN(len(all))]
}

// apply makes the order true, or says why it cannot be.
func (h *hypervisor) apply(o *messages.OrderHost) messages.ErrorKind {
	d, ok := h.domains[o.InstanceId]
	if ok && o.Order < d.order {
		return messages.ErrorKind_ERROR_KIND_CONFLICT
	}
	switch o.Kind {
	case messages.OrderKind_ORDER_KIND_LOOK:
		return 0
	case messages.OrderKind_ORDER_KIND_BUILD:
		h.domains[o.InstanceId] = domain{messages.PowerState_POWER_STATE_RUNNING, o.Order}
		return 0
	case messages.OrderKind_ORDER_KIND_DELETE:
		delete(h.domains, o.InstanceId)
		return 0
	}
	if !ok {
		return messages.ErrorKind_ERROR_KIND_NOT_FOUND
	}
	d.order, d.power = o.Order, messages.PowerState_POWER_STATE_RUNNING
	if o.Kind == messages.OrderKind_ORDER_KIND_STOP {
		d.power = messages.PowerState_POWER_STATE_SHUTDOWN
	}
	h.domains[o.InstanceId] = d
	return 0
}

// orphan ends the operations of a controller that died: each was done or not.
func (h *hypervisor) orphan() {
	for _, id := range sorted(h.jobs) {
		if h.w.rng.IntN(2) == 0 {
			h.apply(h.jobs[id].order)
		}
	}
	h.jobs = map[string]*job{}
}

// forget is the death of the controller: what it had seen is gone with it.
func (h *hypervisor) forget() {
	h.orphan()
	h.seen = map[string]uint64{}
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
