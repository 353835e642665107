package instance

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// MaxActions is how many actions an instance's history keeps, and MaxEvents how
// many steps of each.
const (
	MaxActions = 64
	MaxEvents  = 32
)

type asker interface {
	GetRequestId() string
	GetUserId() string
	GetProjectId() string
}

// begin opens a new entry of the history. One that a newer action cuts short is
// closed first.
func (s State) begin(now time.Time, a messages.Action, by asker) State {
	if s.View.TaskState != idle && s.Actions > 0 {
		s = s.end(now, "replaced by "+actions[a].name)
	}
	s.Doing = a
	return s.record(&messages.ActionRecord{
		Action: actions[a].name, RequestId: by.GetRequestId(), UserId: by.GetUserId(),
		ProjectId: by.GetProjectId(), StartedAt: now.UnixNano(), UpdatedAt: now.UnixNano(),
	})
}

func (s State) record(a *messages.ActionRecord) State {
	if s.Action != nil {
		s.History = s.History.Set(actionKey(s.Actions), s.Action)
	}
	s.Actions, s.Action = s.Actions+1, a
	if s.Actions > MaxActions {
		s.History = s.History.Delete(actionKey(s.Actions - MaxActions))
	}
	return s
}

// newest is the newest entry; nil if there is none. An older node has written it to
// its row when it had ended, one older still at once.
func (s State) newest() *messages.ActionRecord {
	if s.Action != nil {
		return s.Action
	}
	a, _ := s.History.Get(actionKey(s.Actions))
	return a
}

// first is s as FormatFirst has it: an entry that has ended is in its row, and the newest
// decision among the papers.
func (s State) first() State {
	if s.Action != nil && s.Action.FinishedAt != 0 {
		s.History, s.Action = s.History.Set(actionKey(s.Actions), s.Action), nil
	}
	if raw, ok := s.Why.Get(decision); ok {
		s.Papers, s.Why = s.Papers.Set(decision, []byte(raw)), s.Why.Delete(decision)
	}
	return s
}

func actionKey(n uint32) string { return fmt.Sprintf("%08d", n) }

// amend changes a copy of the latest entry.
func (s State) amend(now time.Time, change func(*messages.ActionRecord)) State {
	a := s.newest()
	if a == nil {
		return s
	}
	a = a.Copy()
	a.Events = slices.Clone(a.Events)
	for i, e := range a.Events {
		if e.FinishedAt == 0 { // one that has ended is not changed any more
			a.Events[i] = e.Copy()
		}
	}
	a.UpdatedAt = now.UnixNano()
	change(a)
	s.Action = a
	return s
}

// event opens a step, or with the suffix ".done" ends it well.
func (s State) event(now time.Time, name string) State { return s.eventOn(now, name, "") }

// eventOn is event with the host that the step is for.
func (s State) eventOn(now time.Time, name, host string) State {
	return s.amend(now, func(a *messages.ActionRecord) {
		name, done := strings.CutSuffix(name, ".done")
		if done {
			if e := openEvent(a, name); e != nil {
				e.FinishedAt, e.Result, e.Host = now.UnixNano(), "Success", cmp.Or(host, e.Host)
			}
			return
		}
		if len(a.Events) < MaxEvents {
			a.Events = append(a.Events, &messages.ActionEvent{Event: name, StartedAt: now.UnixNano(), Host: host})
		}
	})
}

// openEvent is the latest step of that name that is under way; "" for any name.
func openEvent(a *messages.ActionRecord, name string) *messages.ActionEvent {
	for _, e := range slices.Backward(a.Events) {
		if e.FinishedAt == 0 && (name == "" || e.Event == name) {
			return e
		}
	}
	return nil
}

// eventFailed ends the step under way with an error; the action goes on.
func (s State) eventFailed(now time.Time, why string) State {
	return s.amend(now, func(a *messages.ActionRecord) {
		if e := openEvent(a, ""); e != nil {
			e.FinishedAt, e.Result, e.Details = now.UnixNano(), "Error", why
		}
	})
}

// eventDetails says what is in the way of a step that is tried again.
func (s State) eventDetails(now time.Time, why string) State {
	return s.amend(now, func(a *messages.ActionRecord) {
		if e := openEvent(a, ""); e != nil {
			e.Details = why
		}
	})
}

// end closes the latest entry and its open steps; why is empty on success.
func (s State) end(now time.Time, why string) State { return s.endWith(now, why, why) }

// endWith is end with what only administrators read in the details of a step.
func (s State) endWith(now time.Time, why, details string) State {
	return s.amend(now, func(a *messages.ActionRecord) {
		a.FinishedAt, a.Message = now.UnixNano(), why
		for _, e := range a.Events {
			if e.FinishedAt != 0 {
				continue
			}
			e.FinishedAt, e.Result = now.UnixNano(), "Success"
			if why != "" {
				e.Result, e.Details = "Error", cmp.Or(details, why)
			}
		}
	})
}

// note records a change that nobody ordered.
func (s State) note(now time.Time, m *messages.DomainReported) State {
	return s.record(&messages.ActionRecord{
		Action: "power-sync", StartedAt: now.UnixNano(), UpdatedAt: now.UnixNano(), FinishedAt: now.UnixNano(),
		ProjectId: s.View.ProjectId,
		Events: []*messages.ActionEvent{{
			Event: "reported", StartedAt: now.UnixNano(), FinishedAt: now.UnixNano(), Result: "Success", Host: m.Host,
			Details: "the host reports " + word(m.Power.String(), "POWER_STATE_"),
		}},
	})
}

func history(s State) *messages.InstanceActionsView {
	v := &messages.InstanceActionsView{}
	n := s.Actions
	if s.Action != nil {
		v.Actions, n = append(v.Actions, s.Action), n-1
	}
	for ; n > 0 && s.Actions-n < MaxActions; n-- {
		if a, ok := s.History.Get(actionKey(n)); ok {
			v.Actions = append(v.Actions, a)
		}
	}
	return v
}
