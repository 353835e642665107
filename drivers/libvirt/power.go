package libvirt

import "github.com/troupe-cloud/troupe/messages"

// The numbers of libvirt's domain states and of the reasons for being shut off
// that we tell apart (virDomainState, virDomainShutoffReason). They are part of
// its stable interface, and here so that this table needs no C.
const (
	stateRunning     = 1
	stateBlocked     = 2
	statePaused      = 3
	stateShutdown    = 4 // on the way down, but still there
	stateShutoff     = 5
	stateCrashed     = 6
	statePMSuspended = 7

	shutoffCrashed = 3
	shutoffSaved   = 5
	shutoffFailed  = 6
)

// powerOf says what a state means.
func powerOf(state, reason int) messages.PowerState {
	switch state {
	case stateRunning, stateBlocked, stateShutdown:
		return messages.PowerState_POWER_STATE_RUNNING
	case statePaused:
		return messages.PowerState_POWER_STATE_PAUSED
	case statePMSuspended:
		return messages.PowerState_POWER_STATE_SUSPENDED
	case stateCrashed:
		return messages.PowerState_POWER_STATE_CRASHED
	case stateShutoff:
		switch reason {
		case shutoffCrashed, shutoffFailed:
			return messages.PowerState_POWER_STATE_CRASHED
		case shutoffSaved:
			return messages.PowerState_POWER_STATE_SUSPENDED
		}
		return messages.PowerState_POWER_STATE_SHUTDOWN
	}
	return messages.PowerState_POWER_STATE_NOSTATE
}
