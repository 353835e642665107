package service

import (
	"fmt"
	"maps"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

func update(s State, in actors.Input, m *messages.UpdateEndpoints) (State, []actors.Effect, error) {
	if !s.exists() {
		return s, nil, absent(in.ID)
	}
	if m.Weight != nil && !(*m.Weight >= 0 && *m.Weight <= MaxWeight) {
		return s, nil, ErrWeight
	}
	if m.StatusOverride != nil && !text(*m.StatusOverride, MaxOverrideChars) || m.Status != nil && !text(*m.Status, MaxStatusChars) {
		return s, nil, ErrText
	}
	w := s.edit(in)
	meant, err := w.meant(m)
	if err != nil {
		return s, nil, err
	}
	answer := &messages.EndpointsUpdated{}
	var said []uint32 // by somebody who does not beat: that is not said again
	for _, r := range meant {
		e, err := w.updated(r.e, m)
		if err != nil {
			return s, nil, err
		}
		answer.Keys = append(answer.Keys, &messages.EndpointKey{Ip: e.Ip, Port: e.Port, Cluster: e.Cluster, Owner: e.Owner})
		if looksLike(e, r.e) && (!e.Persistent || w.isStored(e)) {
			continue
		}
		next := &entry{e: e, reg: r.registered(), sum: r.sum, at: r.at}
		w.replace(r, next, false)
		w.keepRow(nil, next)
		if !e.Persistent && !isServer(e) && byOperator(m) {
			said = append(said, next.slot)
		}
		if !e.Persistent && e.Owner == "" { // its times may be others from now on
			w.arm(next.slot, deadline(e, w.l.lease.get(next.slot)))
		}
	}
	w.saveNow(said)
	return w.done(actors.Reply{Message: answer})
}

// byOperator says whether an update is of what an instance does not say of itself with
// each registration, or not so that it counts.
func byOperator(m *messages.UpdateEndpoints) bool {
	return m.Enabled != nil || m.Weight != nil || m.StatusOverride != nil || m.ReplaceMetadata || len(m.SetMetadata) > 0 || len(m.RemoveMetadata) > 0
}

// isStored says whether a persistent endpoint is stored as it looks: what checks have
// found is not, until somebody says the same.
func (w *edit) isStored(e *messages.Endpoint) bool {
	r, ok := w.Persistent.Get(addressKey(e))
	return ok && looksLike(r.e, e)
}

// meant is what the keys of an update name: NotFound if they name nothing.
func (w *edit) meant(m *messages.UpdateEndpoints) ([]*entry, error) {
	var all []*entry
	take := func(r *entry) {
		if wanted(r.e, m.PersistentOnly, m.EphemeralOnly) {
			all = append(all, r)
		}
	}
	if len(m.Keys) == 0 {
		for slot := range w.l.used {
			if r := w.l.slots.get(slot); r != nil {
				take(r)
			}
		}
	}
	seen := make(map[*entry]bool, len(m.Keys))
	for _, k := range m.Keys {
		for r := range w.l.at(k).all {
			if (k.Owner == "" || k.Owner == r.e.Owner) && !seen[r] {
				seen[r] = true
				take(r)
			}
		}
	}
	switch {
	case len(all) == 0 && len(m.Keys) > 0:
		return nil, fmt.Errorf("service %s has no such endpoint: %w", w.in.ID, messages.NotFound)
	case w.kept.Persistent && len(all) > MaxPersistent:
		return nil, fmt.Errorf("%d persistent endpoints at once; the limit is %d: %w", len(all), MaxPersistent, messages.Exhausted)
	}
	return all, nil
}

// updated is an endpoint as an update wants it.
func (w *edit) updated(old *messages.Endpoint, m *messages.UpdateEndpoints) (*messages.Endpoint, error) {
	e := copyOf(old)
	if m.Healthy != nil {
		states := e.Status != "" && (m.Status != nil || m.StatusOverride != nil)
		if e.Persistent && w.checked(e.Cluster) || byItself(e) || !e.Persistent && e.Owner == "" && !states {
			return nil, fmt.Errorf("the health of %s:%d is checked, nobody can set it: %w", e.Ip, e.Port, messages.Invalid)
		}
		e.Healthy = *m.Healthy
	}
	if m.Weight != nil {
		e.Weight = *m.Weight
	}
	if m.Enabled != nil {
		e.Enabled = *m.Enabled
	}
	if m.StatusOverride != nil {
		e.StatusOverride = *m.StatusOverride
	}
	if m.Status != nil {
		if e.Status == "" || *m.Status == "" {
			return nil, fmt.Errorf("%s:%d has no status that could be set: %w", e.Ip, e.Port, messages.Invalid)
		}
		e.Status = *m.Status
	}
	if err := setTimes(e, m); err != nil {
		return nil, err
	}
	if !m.ReplaceMetadata && len(m.SetMetadata) == 0 && len(m.RemoveMetadata) == 0 {
		return e, nil
	}
	if m.ReplaceMetadata || e.Metadata == nil {
		e.Metadata = map[string]string{}
	} else {
		e.Metadata = maps.Clone(e.Metadata)
	}
	maps.Copy(e.Metadata, m.SetMetadata)
	for _, key := range m.RemoveMetadata {
		delete(e.Metadata, key)
	}
	return e, CheckMetadata(e.Metadata)
}

// setTimes sets what an update says of how e is kept alive: ErrBeat.
func setTimes(e *messages.Endpoint, m *messages.UpdateEndpoints) error {
	if m.BeatIntervalMs == nil && m.BeatTimeoutMs == nil && m.DeleteTimeoutMs == nil {
		return nil
	}
	for _, t := range []struct {
		to   *int64
		says *int64
	}{{&e.BeatIntervalMs, m.BeatIntervalMs}, {&e.BeatTimeoutMs, m.BeatTimeoutMs}, {&e.DeleteTimeoutMs, m.DeleteTimeoutMs}} {
		if t.says != nil {
			*t.to = *t.says
		}
	}
	return checkBeat(e)
}
