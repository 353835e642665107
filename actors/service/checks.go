package service

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// How often a server's endpoint is looked at that is checked by itself: often until
// it is well, for it is booting, and then as others are.
const (
	quickPause  = 500 * time.Millisecond
	quickProbes = 240 // looks without success, after which it is looked at as others are
	aloneTimes  = 2   // looks in a row that make it unhealthy; one makes it healthy
)

// byItself says whether an endpoint is checked by itself.
func byItself(e *messages.Endpoint) bool { return e.Check != nil && isServer(e) }

// watchAlone begins to look at an endpoint that is checked by itself.
func (w *edit) watchAlone(r *entry) {
	if w.l.armed.get(r.slot) == 0 {
		w.l.probes = w.l.probes.set(r.slot, probe{}, w.by)
		w.arm(r.slot, w.now)
	}
}

// lookAtOnce asks for the first look at what was announced just now.
func (w *edit) lookAtOnce(slots []uint32) {
	var targets []actors.ProbeTarget
	for _, slot := range slots {
		if r := w.l.slots.get(slot); byItself(r.e) && w.l.probes.get(slot).tries == 0 {
			targets = w.probeAlone(targets, r)
		}
	}
	if len(targets) > 0 {
		w.effects = append(w.effects, actors.Probe{Targets: targets})
	}
}

// probeAlone is probe for an endpoint that is checked by itself.
func (w *edit) probeAlone(targets []actors.ProbeTarget, r *entry) []actors.ProbeTarget {
	b := w.l.probes.get(r.slot)
	pause := max(int64(b.pause), minProbePause.Milliseconds())
	if !r.e.Healthy && b.tries < quickProbes {
		pause = 1 // the next bucket: they are quickPause apart
	}
	if b.tries < quickProbes {
		b.tries++
		w.l.probes = w.l.probes.set(r.slot, b, w.by)
	}
	w.arm(r.slot, w.now+pause)
	check := proto.CloneOf(r.e.Check)
	if check.UseEndpointPort || check.Port == 0 {
		check.Port = r.e.Port
	}
	return append(targets, actors.ProbeTarget{
		Key:   &messages.EndpointKey{Ip: r.e.Ip, Port: r.e.Port, Cluster: r.e.Cluster, Owner: r.e.Owner},
		Check: check,
	})
}

// foundAlone counts one look at it.
func (w *edit) foundAlone(r *entry, found *messages.ProbeResult) {
	b := w.l.probes.get(r.slot)
	b.seen = true
	if found.Ok {
		b.run = 1
	} else {
		b.run = max(min(b.run, 0)-1, -aloneTimes)
	}
	pause := (3*int64(b.pause) + found.TookNs/int64(time.Millisecond)) / 4
	b.pause = int32(min(max(pause, minProbePause.Milliseconds()), maxProbePause.Milliseconds()))
	was := r.e.Healthy
	switch b.run {
	case 1:
		r = w.health(r, true)
	case -aloneTimes:
		r = w.health(r, false)
	}
	if was && !r.e.Healthy {
		b.tries = 0
	}
	w.l.probes = w.l.probes.set(r.slot, b, w.by)
}
