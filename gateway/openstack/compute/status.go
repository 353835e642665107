package compute

import (
	"strings"

	"github.com/troupe-cloud/troupe/messages"
)

// word pairs a state of ours with the API's name for it.
type vmWord struct {
	name   string
	status string // with no task that says more
	during map[messages.TaskState]string
}

// vmStates is the one table from our states to the API's. A state without a row
// is shown as UNKNOWN; a test walks the enum.
var vmStates = map[messages.VMState]vmWord{
	messages.VMState_VM_STATE_BUILDING: {name: "building", status: "BUILD"},
	messages.VMState_VM_STATE_ACTIVE: {name: "active", status: "ACTIVE", during: map[messages.TaskState]string{
		messages.TaskState_TASK_STATE_REBOOTING:      "REBOOT",
		messages.TaskState_TASK_STATE_REBOOTING_HARD: "HARD_REBOOT",
		messages.TaskState_TASK_STATE_REBUILDING:     "REBUILD",
	}},
	messages.VMState_VM_STATE_STOPPED: {name: "stopped", status: "SHUTOFF", during: map[messages.TaskState]string{
		messages.TaskState_TASK_STATE_REBUILDING: "REBUILD",
	}},
	messages.VMState_VM_STATE_ERROR: {name: "error", status: "ERROR", during: map[messages.TaskState]string{
		messages.TaskState_TASK_STATE_REBUILDING: "REBUILD",
	}},
	messages.VMState_VM_STATE_DELETED: {name: "deleted", status: "DELETED"},
}

// taskNames are the API's names of tasks; a task without one shows none.
var taskNames = map[messages.TaskState]string{
	messages.TaskState_TASK_STATE_ADMITTING:      "scheduling",
	messages.TaskState_TASK_STATE_SCHEDULING:     "scheduling",
	messages.TaskState_TASK_STATE_NETWORKING:     "networking",
	messages.TaskState_TASK_STATE_SPAWNING:       "spawning",
	messages.TaskState_TASK_STATE_POWERING_ON:    "powering-on",
	messages.TaskState_TASK_STATE_POWERING_OFF:   "powering-off",
	messages.TaskState_TASK_STATE_REBOOTING:      "rebooting",
	messages.TaskState_TASK_STATE_REBOOTING_HARD: "rebooting_hard",
	messages.TaskState_TASK_STATE_DELETING:       "deleting",
	messages.TaskState_TASK_STATE_REBUILDING:     "rebuilding",
}

// status is the API's one word for where a server is.
func status(v *messages.InstanceView) string {
	w, ok := vmStates[v.VmState]
	if !ok {
		return "UNKNOWN"
	}
	if s, ok := w.during[v.TaskState]; ok {
		return s
	}
	return w.status
}

func vmState(v *messages.InstanceView) string { return vmStates[v.VmState].name }

func taskState(v *messages.InstanceView) string { return taskNames[v.TaskState] }

// moreStatuses exist in the API and never here: asking for them finds nothing.
var moreStatuses = []string{
	"MIGRATING", "PASSWORD", "PAUSED", "RESCUE", "RESIZE", "REVERT_RESIZE",
	"SHELVED", "SHELVED_OFFLOADED", "SOFT_DELETED", "SUSPENDED", "VERIFY_RESIZE",
}

// knownStatus is s as the API writes it; false if it is no status.
func knownStatus(s string) (string, bool) {
	s = strings.ToUpper(s)
	for _, w := range vmStates {
		if w.status == s {
			return s, true
		}
		for _, d := range w.during {
			if d == s {
				return s, true
			}
		}
	}
	for _, m := range moreStatuses {
		if m == s {
			return s, true
		}
	}
	return s, false
}
