package service

import (
	"fmt"
	"maps"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// forever is the lease of who is kept by its owner, or by nobody.
const forever = 1<<63 - 1

func register(s State, in actors.Input, m *messages.RegisterEndpoints) (State, []actors.Effect, error) {
	if err := checkRegister(s, in.ID, m); err != nil {
		return s, nil, err
	}
	w := s.edit(in)
	created := len(m.Endpoints) > 0 && !s.exists()
	if len(m.Endpoints) > 0 {
		persistent := m.Endpoints[0].Persistent
		w.join()
		switch {
		case !w.exists():
			if err := w.create(true, persistent); err != nil {
				return s, nil, err
			}
		case w.kept.Persistent != persistent: // it is empty, or it would have been refused
			w.store().Persistent, w.visible = persistent, true
		}
	}
	by := w.l.ownerName(m.Owner)
	named := make([]uint32, 0, len(m.Endpoints))
	for _, e := range m.Endpoints {
		named = append(named, w.put(e, by))
	}
	if w.l.held > MaxEndpoints && w.l.held > s.live.held {
		return s, nil, fmt.Errorf("a service has at most %d endpoints: %w", MaxEndpoints, messages.Exhausted)
	}
	if len(w.l.clusters) > MaxClusters && len(w.l.clusters) > len(s.live.clusters) {
		return s, nil, fmt.Errorf("a service has at most %d clusters: %w", MaxClusters, messages.Exhausted)
	}
	if m.Owner != "" {
		w.own(by, named, m.Replace)
	}
	next, effects, err := w.done()
	return next, append(effects, actors.Reply{Message: &messages.EndpointsRegistered{Revision: next.live.rev, Created: created}}), err
}

func checkRegister(s State, id string, m *messages.RegisterEndpoints) error {
	if n := len(m.Endpoints); n > MaxEndpointsPerMessage {
		return fmt.Errorf("%d endpoints at once; the limit is %d: %w", n, MaxEndpointsPerMessage, messages.Exhausted)
	}
	if m.Owner != "" && (!text(m.Owner, MaxOwnerChars) || strings.Index(m.Owner, "/") < 1 || strings.HasPrefix(m.Owner, serverMember+"/")) {
		return fmt.Errorf("an owner is called MEMBER/CONNECTION, not %q: %w", m.Owner, messages.Invalid)
	}
	for _, e := range m.Endpoints {
		if err := CheckEndpoint(e); err != nil {
			return err
		}
		if e.Persistent != m.Endpoints[0].Persistent {
			return fmt.Errorf("ephemeral and persistent endpoints at once: %w", messages.Invalid)
		}
	}
	if len(m.Endpoints) == 0 {
		return nil
	}
	persistent := m.Endpoints[0].Persistent
	if persistent && m.Owner != "" {
		return fmt.Errorf("nobody owns a persistent endpoint: %w", messages.Invalid)
	}
	if n := len(m.Endpoints); persistent && n > MaxPersistent {
		return fmt.Errorf("%d persistent endpoints at once; the limit is %d: %w", n, MaxPersistent, messages.Exhausted)
	}
	if s.exists() && s.kept.Persistent != persistent && s.live.held > s.guests() {
		_, name, _ := strings.Cut(id, Separator)
		//lint:ignore ST1005 clients know this sentence
		return fmt.Errorf("Current service %s is %s service, can't register %s instance.: %w",
			name, lifetime(s.kept.Persistent), lifetime(persistent), messages.Invalid)
	}
	return nil
}

func lifetime(persistent bool) string {
	if persistent {
		return "persistent"
	}
	return "ephemeral"
}

// put registers one endpoint and returns its slot.
func (w *edit) put(e *messages.Endpoint, by string) uint32 {
	cluster := Cluster(e.Cluster)
	p := w.l.place(e.Ip, e.Port, cluster)
	var old, like *entry
	if !p.empty() {
		like, old = p.newest, p.of(by)
		if old != nil {
			like = old
		}
	}
	n := e
	if like != nil || e.Owner != by || e.Cluster != cluster || e.RegisteredAt == 0 {
		n = copyOf(e)
		n.Owner, n.Cluster = by, cluster
	} // else it is as it will stand here: who has sent it may keep it too
	r := &entry{e: n, at: w.now, sum: Sum(n)}
	if old != nil && old.sum == r.sum && old.registered().Dialect == n.Dialect {
		w.again(old, n.Healthy)
		return old.slot
	}
	if n != e {
		w.share(n, like)
	}
	w.l.dialect, w.l.app = n.Dialect, n.App
	w.merge(r, old, like)
	if old == nil {
		w.add(r)
	} else {
		w.replace(old, r, true)
		w.keepRow(nil, r)
	}
	w.begin(r)
	return r.slot
}

// share makes n use the texts that others have anyway, and says when it came.
func (w *edit) share(n *messages.Endpoint, like *entry) {
	if like != nil {
		n.RegisteredAt = like.e.RegisteredAt
	}
	if n.RegisteredAt == 0 {
		n.RegisteredAt = w.in.Now.UnixNano()
	}
	for _, t := range w.l.clusters {
		if t.name == n.Cluster {
			n.Cluster = t.name
			break
		}
	}
	if n.Dialect == w.l.dialect {
		n.Dialect = w.l.dialect
	}
	if n.App == w.l.app {
		n.App = w.l.app
	}
	n.Metadata = w.l.metadata.share(n.Metadata)
}

// recent are the last few metadata that differed. A map takes more than the rest of
// an endpoint does, and those of one service mostly say one of a few things.
type recent struct {
	some [4]map[string]string
	next uint8 // to be replaced
}

// share is m, or what says the same and is kept already.
func (l *recent) share(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	for _, o := range l.some {
		if sameMap(o, m) {
			return o
		}
	}
	l.some[l.next%uint8(len(l.some))] = m
	l.next++
	return m
}

// merge keeps what an operator has changed since the address was registered before,
// and what checks have found: who registers again says again what it said then,
// and does not mean to undo that.
func (w *edit) merge(r, old, like *entry) {
	if like == nil {
		return
	}
	if old != nil && r.e.Persistent && w.checked(r.e.Cluster) {
		r.e.Healthy = old.e.Healthy
	}
	if old != nil && byItself(r.e) && byItself(old.e) && proto.Equal(old.e.Check, r.e.Check) {
		r.e.Healthy = old.e.Healthy
	}
	if like.reg == nil {
		return
	}
	n, is, was := copyOf(r.e), like.e, like.reg
	if n.Weight == was.Weight {
		n.Weight = is.Weight
	}
	if n.Enabled == was.Enabled {
		n.Enabled = is.Enabled
	}
	if n.StatusOverride == was.StatusOverride {
		n.StatusOverride = is.StatusOverride
	}
	if maps.Equal(n.Metadata, was.Metadata) {
		n.Metadata = is.Metadata
	}
	if n.BeatIntervalMs == was.BeatIntervalMs && n.BeatTimeoutMs == was.BeatTimeoutMs && n.DeleteTimeoutMs == was.DeleteTimeoutMs {
		n.BeatIntervalMs, n.BeatTimeoutMs, n.DeleteTimeoutMs = is.BeatIntervalMs, is.BeatTimeoutMs, is.DeleteTimeoutMs
	}
	if !looksLike(n, r.e) {
		r.e, r.reg = n, r.e
	}
}

// again is a registration that says nothing new: the endpoint lives.
func (w *edit) again(old *entry, healthy bool) {
	switch {
	case old.e.Owner != "":
		w.hold(old.slot)
	case !old.e.Persistent:
		w.beat(old, healthy)
	}
}

// begin starts the lease of a new registration.
func (w *edit) begin(r *entry) {
	switch {
	case r.e.Persistent:
		w.hold(r.slot)
		w.watch(r)
	case r.e.Owner != "":
		w.hold(r.slot)
		if byItself(r.e) {
			w.watchAlone(r)
		}
	default:
		w.l.lease = w.l.lease.set(r.slot, w.now, w.by)
		w.arm(r.slot, deadline(r.e, w.now))
	}
}

func deregister(s State, in actors.Input, m *messages.DeregisterEndpoints) (State, []actors.Effect, error) {
	if !s.exists() {
		return s, nil, nil
	}
	if n := len(m.Endpoints); n > MaxEndpointsPerMessage || s.kept.Persistent && n > MaxPersistent {
		return s, nil, fmt.Errorf("%d endpoints at once are too many: %w", n, messages.Exhausted)
	}
	w := s.edit(in)
	for _, k := range m.Endpoints {
		p := w.l.at(k)
		if r := p.of(or(m.Owner, k.Owner)); r != nil && !isServer(r.e) && wanted(r.e, m.PersistentOnly, m.EphemeralOnly) {
			w.remove(r)
		}
	}
	return w.done()
}

// wanted says whether e is of the kind that a message is about.
func wanted(e *messages.Endpoint, persistentOnly, ephemeralOnly bool) bool {
	return e.Persistent && !ephemeralOnly || !e.Persistent && !persistentOnly
}
