package instance

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// MaxAttempts is how many hosts are tried before the build fails.
const MaxAttempts = 3

func quotaGranted(s State, now time.Time) (State, []actors.Effect, error) {
	if s.View.TaskState != admitting {
		return s, nil, nil
	}
	s = s.event(now, "quota.done").event(now, "schedule")
	s = s.edit(now, func(v *messages.InstanceView) { v.TaskState = scheduling })
	s.Networks = slices.Clone(s.Networks)
	for i := range s.Networks {
		s.Networks[i].Held = true // from the first request on: it may be granted unheard
	}
	return s, append(outstanding(s), actors.Answer{Key: admitted, Message: s.View}), nil
}

// quotaRefused ends an instance that nobody has seen. The project is told to
// let go all the same: a repeated claim may have been granted meanwhile.
func quotaRefused(s State, now time.Time, m *messages.QuotaRefused) (State, []actors.Effect, error) {
	if s.View.TaskState != admitting {
		return s, nil, nil
	}
	s = s.end(now, m.Reason)
	s.Hidden, s.Failed = true, &messages.Fault{Code: 403, Message: m.Reason, At: now.UnixNano()}
	s = s.edit(now, func(v *messages.InstanceView) { v.VmState, v.TaskState, v.DeletedAt = deleted, idle, now.UnixNano() })
	s.Papers = s.Papers.Delete(userData)
	refusal := actors.Answer{Key: admitted, Err: fmt.Errorf("%s: %w", m.Reason, messages.Exhausted)}
	return s, append(outstanding(s), refusal), nil
}

func quotaReleased(s State, now time.Time) (State, []actors.Effect, error) {
	if !s.QuotaHeld || !(s.Hidden || s.View.TaskState == deleting && s.View.Host == "") {
		return s, nil, nil
	}
	s.QuotaHeld = false
	if s.Hidden {
		return s, nil, nil
	}
	return settleDelete(s, now)
}

func hostChosen(s State, now time.Time, m *messages.HostChosen) (State, []actors.Effect, error) {
	if !s.awaitsHost(m.Attempt) {
		return s, nil, nil
	}
	if s.Evac != nil {
		return rebuild(s.explain(m.Decision).eventOn(now, "schedule.done", m.Host), now, m)
	}
	s.Choice = &Choice{m, now}
	return build(s, now)
}

// noHostFound ends the build. That no host is left says little where some were
// tried: what the last of them said comes with it.
func noHostFound(s State, now time.Time, m *messages.NoHostFound) (State, []actors.Effect, error) {
	if !s.awaitsHost(m.Attempt) {
		return s, nil, nil
	}
	f := &messages.Fault{Code: 500, Message: m.Reason}
	if s.Failed != nil {
		f.Message += " The last one tried: " + s.Failed.Message
		f.Details = s.Failed.Details
	}
	if s.Evac != nil {
		return evacuationFailed(s.explain(m.Decision), now, f)
	}
	return fail(s.explain(m.Decision), now, f)
}

func (s State) awaitsHost(attempt int32) bool {
	return s.wantsHost() && attempt == s.Attempt
}

// wantsHost: the scheduler is to choose one.
func (s State) wantsHost() bool {
	if s.Evac != nil {
		return s.Evac.Asking == "" && s.Evac.Target == ""
	}
	return s.placing() && s.View.Host == "" && s.choice() == nil
}

// choice is the host that is chosen for this attempt, if no order went there yet.
func (s State) choice() *Choice {
	if s.Choice == nil || s.Choice.Attempt != s.Attempt || !s.placing() {
		return nil
	}
	return s.Choice
}

func (s State) explain(d *messages.Decision) State {
	if raw, err := proto.Marshal(d); err == nil && d != nil {
		s.Why = s.Why.Set(decision, raw)
	}
	return s
}

func portsAllocated(s State, now time.Time, m *messages.PortsAllocated) (State, []actors.Effect, error) {
	i := s.network(m.NetworkId)
	if i < 0 || s.Networks[i].Got || !s.Networks[i].Held || !s.placing() {
		return s, nil, nil
	}
	s.Networks = slices.Clone(s.Networks)
	s.Networks[i].Got = true
	s = s.edit(now, func(v *messages.InstanceView) { v.Ports = slices.Concat(v.Ports, m.Ports) })
	return build(s, now)
}

func (s State) network(id string) int {
	return slices.IndexFunc(s.Networks, func(n Network) bool { return n.ID == id })
}

func (s State) placing() bool {
	return s.View.TaskState == scheduling || s.View.TaskState == networking
}

func portsRefused(s State, now time.Time, m *messages.PortsRefused) (State, []actors.Effect, error) {
	if i := s.network(m.NetworkId); i < 0 || s.Networks[i].Got || !s.placing() {
		return s, nil, nil
	}
	return fail(s, now, &messages.Fault{Code: 500, Message: m.Reason})
}

func portsReleased(s State, now time.Time, m *messages.PortsReleased) (State, []actors.Effect, error) {
	i := s.network(m.NetworkId)
	letGo := s.View.TaskState == deleting && s.View.Host == "" || s.leaving()
	if i < 0 || !s.Networks[i].Held || !letGo {
		return s, nil, nil
	}
	s.Networks = slices.Clone(s.Networks)
	s.Networks[i].Held, s.Networks[i].Got = false, false
	if s.View.TaskState != deleting {
		return s, nil, nil
	}
	return settleDelete(s, now)
}

// build orders the machine as soon as it has both its host and its addresses.
// What is missing has been asked for. A host alone is no commit: another may be
// chosen as long as nothing was ordered.
func build(s State, now time.Time) (State, []actors.Effect, error) {
	if slices.ContainsFunc(s.Networks, func(n Network) bool { return !n.Got }) {
		return s, nil, nil
	}
	host, zone := s.View.Host, s.View.AvailabilityZone
	if c := s.choice(); c != nil {
		s = s.explain(c.Decision).eventOn(c.At, "schedule.done", c.Host)
		host, zone, s.Choice = c.Host, c.AvailabilityZone, nil
	}
	if host == "" {
		return s, nil, nil
	}
	s = s.order(orderBuild).eventOn(now, "spawn", host)
	s = s.edit(now, func(v *messages.InstanceView) { v.Host, v.AvailabilityZone, v.TaskState = host, zone, spawning })
	return s, outstanding(s), nil
}

// orderRefused: the host holds nothing, so another one may be tried at once.
func orderRefused(s State, now time.Time, m *messages.OrderRefused) (State, []actors.Effect, error) {
	ordered := s.View.TaskState == spawning || s.Evac != nil && s.Evac.Target == m.Host
	if m.Order != s.Order || !ordered || s.Clearing {
		return s, nil, nil
	}
	s.Failed = &messages.Fault{Code: 500, Message: "The host refused the machine.", Details: fmt.Sprintf("host %s: %s", m.Host, m.Reason)}
	return elsewhere(s.eventFailed(now, m.Reason), now, true)
}

// elsewhere tries the next host after one has let go, or gives up.
func elsewhere(s State, now time.Time, again bool) (State, []actors.Effect, error) {
	if s.Evac != nil {
		return evacuateElsewhere(s, now, again)
	}
	host := s.View.Host
	s.Clearing = false
	s = s.edit(now, func(v *messages.InstanceView) { v.Host, v.HypervisorHostname, v.PowerState = "", "", 0 })
	if !again || s.Attempt >= MaxAttempts || s.HostAsked != "" {
		return fail(s, now, s.Failed)
	}
	s.Tried, s.Attempt = append(slices.Clone(s.Tried), host), s.Attempt+1
	s = s.event(now, "schedule")
	s = s.edit(now, func(v *messages.InstanceView) { v.TaskState = scheduling })
	return s, outstanding(s), nil
}

// fail rests the instance in ERROR with what went wrong. It holds no host by
// then; its addresses are given back, its share of the quota when it is deleted.
func fail(s State, now time.Time, f *messages.Fault) (State, []actors.Effect, error) {
	f = proto.Clone(f).(*messages.Fault)
	f.At = now.UnixNano()
	s = s.endWith(now, f.Message, f.Details)
	s.Failed = nil
	s = s.edit(now, func(v *messages.InstanceView) {
		v.VmState, v.TaskState, v.Fault, v.Host, v.Ports = failed, idle, f, "", nil
	})
	return s, outstanding(s), nil
}
