package service

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Types of health checks.
const (
	CheckTCP  = "TCP"
	CheckHTTP = "HTTP"
	CheckNone = "NONE" // the health is what somebody says it is
)

// How often persistent endpoints are looked at. The pause follows what the looks
// take: the slower an endpoint answers, the rarer it is asked.
const (
	minProbePause = 2 * time.Second
	maxProbePause = 5 * time.Second
	probeTimes    = 3   // looks in a row that have to agree
	maxProbes     = 500 // in one effect
)

// smoothing is the old pause's share of the next one, in hundredths.
func smoothing(check string) int64 {
	if check == CheckHTTP {
		return 85
	}
	return 75
}

// probe is what is known of a persistent endpoint's checks.
type probe struct {
	pause int32 // ms
	run   int16 // looks in a row: found well, or negative: ill
	seen  bool
	tries uint8 // looks without success at one that is checked by itself
}

// CheckHealthCheck accepts what SetCluster may say: ErrCheck. Nil is as it was.
func CheckHealthCheck(c *messages.HealthCheck) error {
	switch c.GetType() {
	case "", CheckTCP, CheckHTTP, CheckNone:
	default:
		return fmt.Errorf("%q: %w", c.GetType(), ErrCheck)
	}
	if c == nil {
		return nil
	}
	if c.Port < 0 || c.Port > MaxPort {
		return ErrPort
	}
	if !text(c.Path, MaxCheckPathChars) || !text(c.Headers, MaxCheckHeadersChars) || strings.ContainsAny(c.Path+c.Headers, "\r\n\x00") {
		return fmt.Errorf("path and headers are text of at most %d and %d characters in one line: %w", MaxCheckPathChars, MaxCheckHeadersChars, ErrCheck)
	}
	if len(c.ExpectedCodes) > MaxExpectedCodes {
		return fmt.Errorf("at most %d codes are expected: %w", MaxExpectedCodes, ErrCheck)
	}
	for _, code := range c.ExpectedCodes {
		if code < 100 || code > 599 {
			return fmt.Errorf("HTTP has no code %d: %w", code, ErrCheck)
		}
	}
	return nil
}

// CheckOf is how the endpoints of a cluster are checked: by TCP on their own port,
// if nobody has said otherwise.
func CheckOf(clusters []*messages.ServiceCluster, name string) *messages.HealthCheck {
	k := kept{Clusters: clusters}
	if c := k.cluster(name).GetCheck(); c != nil {
		return c
	}
	return &messages.HealthCheck{Type: CheckTCP, UseEndpointPort: true}
}

// checked says whether anything looks at the endpoints of a cluster.
func (w *edit) checked(cluster string) bool {
	return w.kept.cluster(cluster).GetCheck().GetType() != CheckNone
}

// watch begins to look at a persistent endpoint. Those that come together are not
// looked at together.
func (w *edit) watch(r *entry) {
	if !w.checked(r.e.Cluster) || w.l.armed.get(r.slot) != 0 {
		return
	}
	w.l.probes = w.l.probes.set(r.slot, probe{}, w.by)
	w.arm(r.slot, w.now+int64(r.slot)*bucketMS%minProbePause.Milliseconds())
}

// watchCluster begins to look at the endpoints of a cluster, if they are to be.
func (w *edit) watchCluster(name string) {
	if !w.kept.Persistent || !w.checked(name) {
		return
	}
	for slot := range w.l.used {
		if r := w.l.slots.get(slot); r != nil && r.e.Cluster == name {
			w.watch(r)
		}
	}
}

// probe asks for a look at r, and sees to the next one: whether this one is answered
// or not.
func (w *edit) probe(targets []actors.ProbeTarget, r *entry) []actors.ProbeTarget {
	if !w.checked(r.e.Cluster) {
		return targets
	}
	pause := max(int64(w.l.probes.get(r.slot).pause), minProbePause.Milliseconds())
	w.arm(r.slot, w.now+pause)
	check := proto.CloneOf(CheckOf(w.kept.Clusters, r.e.Cluster))
	check.Type = or(check.Type, CheckTCP)
	if check.UseEndpointPort || check.Port == 0 {
		check.Port = r.e.Port
	}
	return append(targets, actors.ProbeTarget{
		Key:   &messages.EndpointKey{Ip: r.e.Ip, Port: r.e.Port, Cluster: r.e.Cluster},
		Check: check,
	})
}

func probed(s State, in actors.Input, m *messages.EndpointsProbed) (State, []actors.Effect, error) {
	if !s.exists() || !s.kept.Persistent && s.Servers.Len() == 0 {
		return s, nil, nil
	}
	w := s.edit(in)
	for _, found := range m.Results {
		p := w.l.at(found.Key)
		if p.empty() {
			continue
		}
		if r := p.of(found.Key.Owner); r != nil && byItself(r.e) {
			w.foundAlone(r, found)
			continue
		}
		if !w.kept.Persistent || !w.checked(p.shown().Cluster) {
			continue
		}
		w.found(p.newest, found)
	}
	return w.done()
}

// found counts one look. The first one of all may show that an endpoint is well;
// that it is ill takes as many as ever.
func (w *edit) found(r *entry, found *messages.ProbeResult) {
	b := w.l.probes.get(r.slot)
	if found.Ok {
		b.run = min(max(b.run, 0)+1, probeTimes)
	} else {
		b.run = max(min(b.run, 0)-1, -probeTimes)
	}
	switch {
	case b.run == probeTimes || found.Ok && !b.seen:
		w.health(r, true)
	case b.run == -probeTimes:
		w.health(r, false)
	}
	share := smoothing(w.kept.cluster(r.e.Cluster).GetCheck().GetType())
	pause := (share*int64(b.pause) + (100-share)*found.TookNs/int64(time.Millisecond)) / 100
	pause = min(max(pause, minProbePause.Milliseconds()), maxProbePause.Milliseconds())
	w.l.probes = w.l.probes.set(r.slot, probe{int32(pause), b.run, true, 0}, w.by)
}
