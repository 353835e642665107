package sim

import (
	"fmt"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/actors"
)

// Config is the size of one history.
type Config struct {
	Kinds []actors.Kind
	Hosts int
	Acts  int // of the users
	Faults
	Network string        // id of a network that is made first; empty: none
	After   time.Duration // how long the weather stays once the users have acted
	Shared  bool          // the hosts share the storage of their disks
	Setup   []actors.Tell // what the cloud is told before anybody acts
	Also    func(*World)  // further invariants, once settled
}

// MaxSettle is how long, in virtual time, a cloud may take to settle once
// nothing goes wrong any more.
const MaxSettle = 10 * time.Minute

// checkTime is how long after that health checks may take to find what is so, and a
// service that has refused a server to be asked again.
const checkTime = 10 * time.Second

// Run plays one history. The error tells the first invariant that broke, with
// what happened just before.
func Run(seed uint64, c Config) error { return play(seed, c).err }

// play plays one history to its end.
func play(seed uint64, c Config) *World {
	w := New(seed, c.Kinds, c.Hosts, c.Faults)
	w.users = &users{w: w, network: c.Network, acked: map[string]bool{}, projects: []string{"p1", "p2"}}
	if c.Shared {
		w.disks = map[string]*disk{}
	}
	w.calm = true // until everything is set up
	for _, t := range c.Setup {
		w.deliver(t.To, t.Message, func(_ actors.Message, err error) {
			if err != nil {
				w.fail("set-up: %w", err)
			}
		})
	}
	w.calm = false
	for _, h := range w.hosts {
		h.attach()
	}
	w.after(time.Second, w.nudge)
	w.users.busyFor(c.Acts)
	w.upgrade(seed, time.Duration(c.Acts)*200*time.Millisecond)
	w.runUntil(time.Duration(c.Acts)*400*time.Millisecond + c.After)
	w.becalm()
	for deadline := w.now + MaxSettle; w.err == nil && w.now < deadline && !w.quiet(); {
		w.runUntil(w.now + 5*time.Second)
	}
	w.runUntil(w.now + checkTime)
	if w.err == nil {
		w.settled()
		w.settledListed()
	}
	if w.err != nil {
		last := w.trace[max(0, len(w.trace)-600):]
		w.err = fmt.Errorf("seed %d: %w\n%s", seed, w.err, strings.Join(last, "\n"))
	}
	return w
}

// upgrade has every third cloud write as one with earlier nodes does until then.
func (w *World) upgrade(seed uint64, at time.Duration) {
	if seed%3 != 0 {
		return
	}
	w.format = actors.FormatFirst
	w.after(at, func() {
		w.logf("all members read the newest format")
		w.format = actors.Format
	})
}

func (w *World) runUntil(t time.Duration) {
	for w.err == nil && len(w.events) > 0 && w.events[0].at <= t {
		w.step()
	}
	w.now = max(w.now, t)
}

// becalm turns the faults off and brings every hypervisor back.
func (w *World) becalm() {
	w.calm = true
	w.logf("calm")
	for _, h := range w.hosts {
		if !h.home {
			h.back()
		} else if !h.connected {
			h.orphan()
			h.connect()
		}
	}
	for _, ref := range w.refs() {
		w.dropStale(ref)
	}
}

// quiet: no work is outstanding, and nothing but the nudge is on its way.
func (w *World) quiet() bool {
	if len(w.events)-w.idle > 1 || len(w.restless()) > 0 {
		return false
	}
	for _, h := range w.hosts {
		if len(h.inbox) > 0 || len(h.jobs) > 0 {
			return false
		}
	}
	return true
}
