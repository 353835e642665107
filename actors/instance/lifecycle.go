package instance

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// rule says from where an action is allowed, which task it is, and what is
// ordered from the host. Where the machine rests afterwards is what the host
// reports (rest). An action without a row is allowed nowhere.
type rule struct {
	name  string // in the history
	from  []messages.VMState
	over  []messages.TaskState // tasks that it may replace; none: only idle
	task  messages.TaskState
	order messages.OrderKind
	grace time.Duration // how long the guest may take over an ACPI request
}

var actions = map[messages.Action]rule{
	messages.Action_ACTION_CREATE: {name: "create", task: admitting, order: orderBuild},
	messages.Action_ACTION_START: {
		name: "start", from: in(stopped), task: poweringOn,
		order: messages.OrderKind_ORDER_KIND_START,
	},
	messages.Action_ACTION_STOP: {
		name: "stop", from: in(active, failed), task: poweringOff,
		order: messages.OrderKind_ORDER_KIND_STOP, grace: time.Minute,
	},
	messages.Action_ACTION_REBOOT_SOFT: {
		name: "reboot", from: in(active), task: rebooting,
		order: messages.OrderKind_ORDER_KIND_REBOOT_SOFT, grace: time.Minute,
	},
	messages.Action_ACTION_REBOOT_HARD: {
		name: "reboot", from: in(active, stopped, failed), task: rebootingHard,
		over:  []messages.TaskState{rebooting},
		order: messages.OrderKind_ORDER_KIND_REBOOT_HARD,
	},
	messages.Action_ACTION_DELETE: {
		name: "delete", from: in(building, active, stopped, failed), task: deleting,
		over: []messages.TaskState{
			scheduling, networking, spawning, poweringOn, poweringOff, rebooting, rebootingHard, deleting, rebuilding,
		},
		order: orderDelete,
	},
	// What a dead host was at ends with it.
	messages.Action_ACTION_EVACUATE: {
		name: "evacuate", from: in(active, stopped, failed), task: rebuilding,
		over:  []messages.TaskState{poweringOn, poweringOff, rebooting, rebootingHard, rebuilding},
		order: orderYield,
	},
}

func in(states ...messages.VMState) []messages.VMState { return states }

func act(s State, in actors.Input, m *messages.ActOnInstance) (State, []actors.Effect, error) {
	if !s.visible(m.Scope) {
		return s, nil, missing(in.ID)
	}
	if m.Action == messages.Action_ACTION_EVACUATE {
		return s, nil, fmt.Errorf("an evacuation has a message of its own: %w", messages.Invalid)
	}
	r := actions[m.Action]
	if err := r.allows(s.View); err != nil {
		return s, nil, err
	}
	if m.Action == messages.Action_ACTION_DELETE {
		return remove(s, in, m)
	}
	if s.View.Host == "" {
		return s, nil, fmt.Errorf("cannot '%s' instance %s which is on no host: %w", r.name, in.ID, messages.Conflict)
	}
	s = s.begin(in.Now, m.Action, m).eventOn(in.Now, r.name, s.View.Host)
	s = s.order(r.order).edit(in.Now, func(v *messages.InstanceView) { v.TaskState, v.Fault = r.task, nil })
	s = s.drains(in.Now, ConfirmTime)
	return s, outstanding(s), nil
}

func (r rule) allows(v *messages.InstanceView) error {
	if !slices.Contains(r.from, v.VmState) {
		return fmt.Errorf("cannot '%s' instance %s while it is in vm_state %s: %w",
			r.name, v.Id, word(v.VmState.String(), "VM_STATE_"), messages.Conflict)
	}
	if v.TaskState != idle && !slices.Contains(r.over, v.TaskState) {
		return fmt.Errorf("cannot '%s' instance %s while it is in task_state %s: %w",
			r.name, v.Id, word(v.TaskState.String(), "TASK_STATE_"), messages.Conflict)
	}
	return nil
}

// word is an enum's name as people write it: TASK_STATE_POWERING_ON is powering-on.
func word(name, prefix string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, prefix)), "_", "-")
}

// order gives the next number to an order of the kind.
func (s State) order(k messages.OrderKind) State {
	s.Order, s.Ordered = s.Order+1, k
	return s
}

// remove begins the end. What the instance holds is given back in this order:
// the machine, then its addresses, then its share of the quota; nothing is given
// back that may still be in use.
func remove(s State, in actors.Input, m *messages.ActOnInstance) (State, []actors.Effect, error) {
	if s.View.TaskState == deleting {
		return s, nil, nil // asked again: it goes on
	}
	s = s.begin(in.Now, m.Action, m).eventOn(in.Now, "delete", s.View.Host)
	s.Clearing, s.Failed = false, nil
	s = s.breakOff(in.Now)
	if s.View.Host != "" || len(s.Left) > 0 {
		s = s.order(orderDelete) // which the leftovers have, too
	}
	s = s.finishOff()
	s = s.edit(in.Now, func(v *messages.InstanceView) { v.TaskState = deleting })
	s = s.drains(in.Now, 0) // however long services take to confirm
	return settleDelete(s, in.Now)
}

// settleDelete ends the deletion once nothing is held.
func settleDelete(s State, now time.Time) (State, []actors.Effect, error) {
	if s.View.Host != "" || s.holds() {
		return s, outstanding(s), nil
	}
	s = s.end(now, "")
	s = s.edit(now, func(v *messages.InstanceView) {
		v.VmState, v.TaskState, v.PowerState, v.DeletedAt = deleted, idle, 0, now.UnixNano()
		v.Ports = nil
	})
	s.Papers, s.Why, s.AdminPassword = s.Papers.Delete(userData).Delete(decision), s.Why.Delete(decision), ""
	return s, nil, nil
}

func (s State) holds() bool {
	return s.QuotaHeld || slices.ContainsFunc(s.Networks, func(n Network) bool { return n.Held })
}
