package instance

import (
	"math"
	"strconv"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Short names for what this package speaks of all the time.
const (
	building = messages.VMState_VM_STATE_BUILDING
	active   = messages.VMState_VM_STATE_ACTIVE
	stopped  = messages.VMState_VM_STATE_STOPPED
	failed   = messages.VMState_VM_STATE_ERROR
	deleted  = messages.VMState_VM_STATE_DELETED

	idle          = messages.TaskState_TASK_STATE_NONE
	admitting     = messages.TaskState_TASK_STATE_ADMITTING
	scheduling    = messages.TaskState_TASK_STATE_SCHEDULING
	networking    = messages.TaskState_TASK_STATE_NETWORKING
	spawning      = messages.TaskState_TASK_STATE_SPAWNING
	poweringOn    = messages.TaskState_TASK_STATE_POWERING_ON
	poweringOff   = messages.TaskState_TASK_STATE_POWERING_OFF
	rebooting     = messages.TaskState_TASK_STATE_REBOOTING
	rebootingHard = messages.TaskState_TASK_STATE_REBOOTING_HARD
	deleting      = messages.TaskState_TASK_STATE_DELETING
	rebuilding    = messages.TaskState_TASK_STATE_REBUILDING

	orderBuild   = messages.OrderKind_ORDER_KIND_BUILD
	orderDelete  = messages.OrderKind_ORDER_KIND_DELETE
	orderYield   = messages.OrderKind_ORDER_KIND_YIELD
	orderRelease = messages.OrderKind_ORDER_KIND_RELEASE
	orderLook    = messages.OrderKind_ORDER_KIND_LOOK
)

// IndexPrefix is where a project's instances are listed; "" for all projects.
func IndexPrefix(project string) string {
	if project == "" {
		return "instance/"
	}
	return "instance/" + actors.Escape(project) + "/"
}

// IndexKey is where the instance is listed: by project, the newest first.
func IndexKey(v *messages.InstanceView) string {
	const zeros = "00000000000000000000"
	age := strconv.FormatUint(uint64(math.MaxInt64-v.CreatedAt), 10) // 20 digits at most
	return IndexPrefix(v.ProjectId) + zeros[len(age):] + age + "-" + v.Id
}
