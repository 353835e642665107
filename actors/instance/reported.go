package instance

import (
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// reported takes a fact of the host about the machine. A fact that no order
// asked for is confirmed only if it stands in the state: a stale activation
// commits nothing, so it must not confirm anything either.
func reported(s State, now time.Time, m *messages.DomainReported) (State, []actors.Effect, error) {
	f := Fact{m.Order, m.Seq}
	s = s.dismiss(m.Host, m.Order, m.Ended && m.Absent)
	if s.interrupted(m) {
		return s.drained(now)
	}
	switch {
	case m.Host != s.orderedHost() || m.Order != s.Order || s.Drain != nil || s.placing() || s.Evac != nil && s.wantsHost():
		// Another host's, an older order's, or of before anything was ordered here: the
		// latest order may wait for a drain.
		return s.completed(now, m), nil, nil
	case f == s.Fact && m.Followed:
		s.Followed = m.Host
		return s, confirm(s, m), nil
	case !s.Fact.before(f):
		return s, confirm(s, m), nil
	case !m.Ended && s.View.TaskState != idle:
		// The order's end will tell the power anew; what is in the way until
		// then can be read in the history.
		if m.ErrorKind != 0 {
			s = s.eventDetails(now, m.Error)
		}
		return s, nil, nil
	}
	s.Fact, s.HostDown, s.Followed = f, m.HostDown, ""
	if m.Followed {
		s.Followed = m.Host
	}
	switch {
	case m.Ended && s.Evac != nil && s.Evac.Asking != "":
		return notYielded(s, now, m)
	case m.Ended && (s.Ordered == orderDelete || s.Ordered == orderRelease):
		return cleared(s, now, m)
	case m.Ended && s.Ordered == orderBuild && (s.View.TaskState == spawning || s.Evac != nil):
		return built(s, now, m)
	case m.Ended && s.View.TaskState != idle:
		return acted(s, now, m), nil, nil
	}
	return drifted(s, now, m), confirm(s, m), nil
}

func confirm(s State, m *messages.DomainReported) []actors.Effect {
	if m.Ended {
		return nil
	}
	return []actors.Effect{tell(m.Host, &messages.ReportTaken{InstanceId: s.View.Id, Seq: m.Seq})}
}

func tell(host string, m actors.Message) actors.Effect {
	return actors.Tell{To: actors.Ref{Kind: "host", ID: host}, Message: m}
}

// built ends a build, or begins to clear away one that failed: failed is not
// absent, so no other host is tried before this one has confirmed.
func built(s State, now time.Time, m *messages.DomainReported) (State, []actors.Effect, error) {
	if m.ErrorKind == 0 && s.asWanted(m.Power) {
		if s.Evac != nil {
			return evacuated(s, now, m)
		}
		return acted(s, now, m), nil, nil
	}
	f := faultOf(m)
	if m.ErrorKind == messages.ErrorKind_ERROR_KIND_INVALID {
		f.Code = 400
	}
	s.Failed, s.Clearing = f, true
	clear := orderDelete
	if s.Evac != nil {
		clear = orderRelease // a disk that was there stays there
	}
	s = s.eventFailed(now, f.Details).order(clear).eventOn(now, "clear", s.orderedHost())
	return s, outstanding(s), nil
}

// failures is what a user may read of a driver's failure: its kind. The driver's
// own words name hosts and paths; they are for administrators.
var failures = map[messages.ErrorKind]string{
	messages.ErrorKind_ERROR_KIND_NONE:        "The machine ended while it was being built.",
	messages.ErrorKind_ERROR_KIND_EXHAUSTED:   "The host ran out of disk or memory.",
	messages.ErrorKind_ERROR_KIND_INVALID:     "The image or the machine's specification cannot be used.",
	messages.ErrorKind_ERROR_KIND_NOT_FOUND:   "Something that the machine needs is gone from its host.",
	messages.ErrorKind_ERROR_KIND_UNAVAILABLE: "The hypervisor did not answer.",
	messages.ErrorKind_ERROR_KIND_CONFLICT:    "The host had something newer to go by.",
}

// faultOf is the fault that a reported failure makes.
func faultOf(m *messages.DomainReported) *messages.Fault {
	f := &messages.Fault{Code: 500, Message: failures[m.ErrorKind], Details: m.Error}
	if f.Message == "" {
		f.Message = "The hypervisor failed."
	}
	if f.Details == "" {
		f.Details = f.Message
	}
	return f
}

// cleared: the host confirms that nothing is left.
func cleared(s State, now time.Time, m *messages.DomainReported) (State, []actors.Effect, error) {
	switch {
	case !m.Absent || m.ErrorKind != 0:
		return s, nil, nil
	case s.Clearing:
		return elsewhere(s.event(now, "clear.done"), now, s.Failed.GetCode() != 400)
	case s.View.TaskState != deleting:
		return s, nil, nil
	}
	s = s.edit(now, func(v *messages.InstanceView) { v.Host, v.PowerState = "", 0 })
	return settleDelete(s, now)
}

// acted ends the task: the machine rests where the host says that it is.
func acted(s State, now time.Time, m *messages.DomainReported) State {
	var f *messages.Fault
	if m.ErrorKind != 0 {
		f = faultOf(m)
		f.At = now.UnixNano()
	}
	if rest(m) == active {
		s = s.noteWishes(now)
	}
	s = s.endWith(now, f.GetMessage(), f.GetDetails())
	return s.edit(now, func(v *messages.InstanceView) {
		v.TaskState, v.PowerState, v.VmState = idle, m.Power, rest(m)
		v.HypervisorHostname = m.HypervisorHostname
		if f != nil {
			v.Fault = f
		}
		if v.VmState == active && s.Doing == messages.Action_ACTION_CREATE {
			v.LaunchedAt = now.UnixNano()
		}
	})
}

// rest is the vm_state that goes with what the host reports.
func rest(m *messages.DomainReported) messages.VMState {
	switch {
	case m.Absent:
		return failed
	case m.Power == messages.PowerState_POWER_STATE_RUNNING:
		return active
	case m.Power == messages.PowerState_POWER_STATE_SHUTDOWN, m.Power == messages.PowerState_POWER_STATE_CRASHED:
		return stopped
	}
	return failed
}

// drifted follows a machine that changed without an order: its guest powered it
// off, its process died, or somebody acted behind our back.
func drifted(s State, now time.Time, m *messages.DomainReported) State {
	if s.View.VmState == failed && m.Absent == (s.View.PowerState == 0) {
		return s
	}
	if rest(m) == s.View.VmState && m.Power == s.View.PowerState {
		return s
	}
	return s.edit(now, func(v *messages.InstanceView) {
		v.PowerState, v.VmState = m.Power, rest(m)
		if m.Absent {
			v.Fault = &messages.Fault{Code: 500, Message: "the machine is gone from its host", At: now.UnixNano()}
		}
	}).note(now, m)
}

// found answers a host that has a machine of this id and no claim for it.
func found(s State, in actors.Input, m *messages.DomainFound) (State, []actors.Effect, error) {
	switch {
	case s.View == nil:
		return s, []actors.Effect{tell(m.Host, &messages.DomainUnknown{InstanceId: in.ID})}, nil
	case s.View.VmState == deleted || s.View.Host != m.Host && !s.concerns(m.Host):
		// A stale activation must not say that: a commit stands behind it.
		s.Answers++
		return s, []actors.Effect{tell(m.Host, &messages.DisownDomain{
			InstanceId: in.ID, Order: max(s.Order, m.Order), Lives: s.View.VmState != deleted,
		})}, nil
	case s.View.TaskState != idle:
		return s, outstanding(s), nil // the order under way makes the claim
	}
	s = s.order(s.Ordered)
	s.Order = max(s.Order, m.Order)
	return s, []actors.Effect{tell(m.Host, &messages.AdoptDomain{
		InstanceId: in.ID, Order: s.Order, Vcpus: s.View.Flavor.Vcpus, RamMib: s.View.Flavor.RamMib, DiskGib: s.diskGiB(),
	})}, nil
}
