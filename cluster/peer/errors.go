package peer

import (
	"fmt"

	"github.com/troupe-cloud/troupe/messages"
)

// How a call ends without an answer. All but ErrTooLarge wrap
// messages.Unavailable: asking again, under the same dedupe id, is safe.
var (
	// ErrBusy: too much waits for that peer already. It was not sent.
	ErrBusy = fmt.Errorf("too much waits for that member already: %w", messages.Unavailable)
	// ErrUnreachable: it was not sent.
	ErrUnreachable = fmt.Errorf("cannot be reached: %w", messages.Unavailable)
	// ErrRefused is an ErrUnreachable: nobody listens at the peer's address.
	ErrRefused = fmt.Errorf("nobody listens: %w", ErrUnreachable)
	// ErrNotMe is an ErrUnreachable: another member is at that address now.
	ErrNotMe = fmt.Errorf("not the member that was meant: %w", ErrUnreachable)
	// ErrRejected is an ErrUnreachable: the two ends do not accept each other
	// (cluster, certificate, version, clock). Only an operator can mend that.
	ErrRejected = fmt.Errorf("not accepted: %w", ErrUnreachable)
	// ErrVersion is an ErrRejected: one of them is of too early a version.
	ErrVersion = fmt.Errorf("versions that do not go together: %w", ErrRejected)
	// ErrStopped: this process has stopped its transport. It was not sent.
	ErrStopped = fmt.Errorf("this node is stopping: %w", ErrUnreachable)
	// ErrBroken: the stream broke before the answer. The outcome is unknown.
	ErrBroken = fmt.Errorf("the connection broke before the answer: %w", messages.Unavailable)
	// ErrTimeout: the deadline passed before the answer. The outcome is unknown.
	ErrTimeout = fmt.Errorf("no answer in time: %w", messages.Unavailable)
	// ErrTooLarge: larger than MaxPayloadBytes. It was not sent.
	ErrTooLarge = fmt.Errorf("larger than the %d MiB that one message may have: %w", MaxPayloadBytes>>20, messages.Invalid)
)
