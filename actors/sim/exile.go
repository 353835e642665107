package sim

import (
	"slices"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// longestDeath is how long a node may stay away, and longestZombie how long one
// that was only stopped may go on before it learns that it is a member no more.
const (
	shortestDeath = 3 * time.Second
	longestDeath  = 15 * time.Second
	longestZombie = 8 * time.Second
)

// attach has a node drive the hypervisor, under a registration of its own.
func (h *hypervisor) attach() {
	h.w.epoch++
	h.home, h.epoch = true, h.w.epoch
	h.connect()
}

// die takes the node of the hypervisor out of the cloud for a while. Its machines
// run on. A zombie goes on too, with what it knew and with its older epoch.
func (h *hypervisor) die(zombie bool) {
	if !h.home {
		return
	}
	h.w.logf("the node of %s dies, zombie %v", h.name, zombie)
	h.home = false
	epoch := h.epoch
	end := func() {
		for _, a := range slices.Clone(h.w.acts[h.ref()]) {
			if a.epoch == epoch {
				h.w.drop(a)
			}
		}
		if h.epoch == epoch {
			h.connected, h.inbox, h.busy = false, nil, false
			h.line++
		}
	}
	if zombie {
		h.pause()
		h.w.after(time.Duration(h.w.rng.Int64N(int64(longestZombie))), end)
	} else {
		h.orphan()
		end()
	}
	death := shortestDeath + time.Duration(h.w.rng.Int64N(int64(longestDeath-shortestDeath)))
	for range h.w.rng.IntN(4) {
		h.w.after(time.Duration(h.w.rng.Int64N(int64(death))), func() {
			if !h.w.calm {
				h.w.users.evacuate(h)
			}
		})
	}
	h.w.after(death, func() {
		if !h.home && h.epoch == epoch {
			h.back()
		}
	})
}

// pause stops the operations under way between their checks and their acts. They
// go on some time later, when the node may be back under a newer epoch.
func (h *hypervisor) pause() {
	for _, k := range h.underWay() {
		h.later(h.jobs[k].order, k.epoch, time.Duration(h.w.rng.Int64N(int64(longestDeath))))
	}
}

// back brings the node back. Whoever held the host in exile lets go of it, sooner
// or later: until then both are there.
func (h *hypervisor) back() {
	h.w.logf("%s is back", h.name)
	exiles := slices.DeleteFunc(slices.Clone(h.w.acts[h.ref()]), func(a *activation) bool { return a.epoch != 0 })
	h.w.after(h.w.delay(), func() {
		for _, a := range exiles {
			h.w.drop(a)
		}
	})
	h.attach()
}

// deliverHome has the host's activation on the hypervisor's own node handle m.
func (w *World) deliverHome(h *hypervisor, m actors.Message, reply func(actors.Message, error)) {
	if w.err != nil {
		return
	}
	var a *activation
	for _, live := range w.acts[h.ref()] {
		if live.epoch == h.epoch {
			a = live
		}
	}
	if a == nil && h.home {
		a = w.activation(h.ref())
	}
	if a == nil {
		reply(nil, errLost)
		return
	}
	w.handle(a, m, reply)
}

// exiled tells an activation that nobody drives its hypervisor.
func (w *World) exiled(a *activation) {
	w.after(w.delay(), func() {
		if slices.Contains(w.acts[a.ref], a) {
			w.handle(a, &messages.HostLost{Reason: "no node of the cloud drives it"}, func(actors.Message, error) {})
		}
	})
}

// disk is one on storage that all hosts share.
type disk struct {
	owner string // empty: free
	order uint64
}

func (w *World) storage() string {
	if w.disks == nil {
		return ""
	}
	return "the one"
}

// ownDisk makes the disk of a build the host's.
func (h *hypervisor) ownDisk(o *messages.OrderHost) messages.ErrorKind {
	if h.w.disks == nil {
		return 0
	}
	d := h.w.disks[o.InstanceId]
	foreign := d != nil && d.owner != "" && d.owner != h.name
	switch take := o.Spec.GetTakeDisk(); {
	case take && d == nil:
		return messages.ErrorKind_ERROR_KIND_NOT_FOUND
	case foreign && (!take || d.order >= o.Order):
		return messages.ErrorKind_ERROR_KIND_CONFLICT
	}
	h.w.disks[o.InstanceId] = &disk{h.name, o.Order}
	return 0
}

// keeps says whether the machine may run on its disk.
func (h *hypervisor) keeps(o *messages.OrderHost) bool {
	d := h.w.disks[o.InstanceId]
	if d == nil || d.owner == h.name {
		return true
	}
	if d.owner == "" {
		d.owner = h.name
	}
	return d.owner == h.name
}

// letGo removes the disk if it is the host's, or frees it.
func (h *hypervisor) letGo(o *messages.OrderHost) {
	d := h.w.disks[o.InstanceId]
	switch {
	case d == nil:
	case o.Kind == messages.OrderKind_ORDER_KIND_RELEASE:
		if d.owner == h.name {
			d.owner = ""
		}
	case d.owner == "" || d.owner == h.name:
		delete(h.w.disks, o.InstanceId)
	}
}
