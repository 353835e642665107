package sim

import (
	"slices"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// idly is after for what goes on for ever: clocks and health checks. A cloud that
// does nothing else is quiet.
func (w *World) idly(d time.Duration, do func()) {
	w.idle++
	w.after(max(d, 0), func() {
		w.idle--
		do()
	})
}

// watchClock wakes an activation when it wants to be.
func (w *World) watchClock(a *activation) {
	at := a.state.Wake()
	if at.IsZero() || !a.alarm.IsZero() && !at.Before(a.alarm) {
		return
	}
	a.alarm = at
	w.idly(at.Sub(epoch.Add(w.now)), func() {
		if !a.alarm.Equal(at) || !slices.Contains(w.acts[a.ref], a) {
			return // an earlier one has come
		}
		a.alarm = time.Time{}
		if due := a.state.Wake(); due.IsZero() || due.After(epoch.Add(w.now)) {
			w.watchClock(a)
			return
		}
		w.handle(a, &messages.Woken{}, func(actors.Message, error) {})
	})
}

// probe looks whether machines answer.
func (w *World) probe(to actors.Ref, targets []actors.ProbeTarget) {
	m := &messages.EndpointsProbed{}
	for _, t := range targets {
		if !w.chance(w.faults.Loss) {
			m.Results = append(m.Results, &messages.ProbeResult{Key: t.Key, Ok: w.runs(t.Key), TookNs: 1e6})
		}
	}
	w.idly(w.delay(), func() { w.deliver(to, m, nil) })
}

// unsettled says of what is stored whether work is outstanding: others in the index
// only want to be kept.
func (w *World) unsettled(ref actors.Ref) bool {
	kind := w.kinds[ref.Kind]
	record, rows := w.load(&activation{ref: ref}, kind)
	st, err := kind.Open(record, rows)
	if err != nil {
		w.fail("read %v: %w", ref, err)
	}
	return st.Unsettled()
}

// restless are those with work outstanding.
func (w *World) restless() []actors.Ref {
	var all []actors.Ref
	for _, key := range w.rowKeys(actors.UnsettledPrefix) {
		if ref, ok := actors.ParseUnsettledKey(key); ok && w.unsettled(ref) {
			all = append(all, ref)
		}
	}
	return all
}
