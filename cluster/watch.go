package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	listTimeout    = time.Minute
	firstListTry   = 100 * time.Millisecond
	longestListTry = 30 * time.Second
)

// watch tells the host grain what the driver reports. A report that the grain
// could not take is not repeated by itself: everything is listed again.
func (a *host) watch() {
	w := watching{host: a, pause: firstListTry}
	events := a.driver.Watch(a.ctx)
	for {
		select {
		case event, ok := <-events:
			if !ok {
				return
			}
			w.event(event)
		case <-a.resync:
			w.again()
		case <-a.ctx.Done():
			return
		}
	}
}

// watching is what the watch of one host knows; its own goroutine only.
type watching struct {
	*host
	connected bool
	lost      *messages.HostLost
	pause     time.Duration
}

func (w *watching) event(e drivers.Event) {
	switch e.Kind {
	case drivers.Connected:
		w.connected, w.lost, w.pause = true, nil, firstListTry
		w.list()
	case drivers.Lost:
		w.connected, w.lost = false, &messages.HostLost{Reason: e.Reason}
		w.again()
	case drivers.Changed, drivers.Gone:
		if !w.own.Load() {
			return // all is said when its grain comes here
		}
		err := w.post(&messages.DomainObserved{Domain: seen(e.Domain), Absent: e.Kind == drivers.Gone}, w.retry)
		w.retry(err)
	}
}

// again says everything anew.
func (w *watching) again() {
	switch {
	case !w.own.Load():
	case w.connected:
		w.list()
	case w.lost != nil:
		w.retry(w.post(w.lost, w.told))
	}
}

// list tells the grain what the hypervisor is and has; if it cannot be read, it
// is tried again later.
func (w *watching) list() {
	if !w.own.Load() {
		return
	}
	w.facts.Lock()
	defer w.facts.Unlock()
	m, err := w.read()
	if errors.Is(err, drivers.ErrSuperseded) {
		w.retry(w.post(&messages.HostLost{Reason: "another node drives the hypervisor, or did under a newer registration"}, w.told))
	}
	if err != nil {
		if w.ctx.Err() == nil {
			w.hosts.node.log.Warn().Err(err).Str("host", w.name).Msg("a hypervisor could not be listed")
		}
		w.later()
		return
	}
	w.retry(w.post(m, w.told))
}

func (w *watching) read() (m *messages.HostConnected, err error) {
	ctx, cancel := context.WithTimeout(w.ctx, listTimeout)
	defer cancel()
	m = &messages.HostConnected{AvailabilityZone: w.zone}
	err = guard(func() error {
		// From here on nobody else changes what is listed.
		if err = w.driver.Lead(ctx, w.hosts.epoch()); err != nil {
			return err
		}
		if m.Inventory, err = w.driver.Inventory(ctx); err != nil {
			return err
		}
		domains, err := w.driver.Domains(ctx)
		for _, d := range domains {
			m.Domains = append(m.Domains, seen(d))
		}
		return err
	})
	return m, err
}

func (w *watching) later() {
	w.wakeWatch(jitter(w.pause))
	w.pause = min(2*w.pause, longestListTry)
}

// retry has everything said anew if the grain was not there to hear it. It is
// called by the grain too.
func (a *host) retry(err error) {
	if isUnavailable(err) {
		a.wakeWatch(jitter(time.Second))
	}
}

// told notes that the grain has heard how its hypervisor is.
func (a *host) told(err error) {
	if err == nil {
		a.hosts.hear(a)
	}
	a.retry(err)
}

// wakeWatch wakes the watch after a pause.
func (a *host) wakeWatch(pause time.Duration) {
	a.begin(func() {
		if sleep(a.ctx, pause) {
			signal(a.resync)
		}
	})
}

func seen(d drivers.Domain) *messages.DomainSeen {
	return &messages.DomainSeen{InstanceId: d.ID, Power: d.Power, Order: d.Order}
}
