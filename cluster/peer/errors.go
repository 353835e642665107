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
	ErrUnreachable = fmt.Errorf("that member cannot be reached: %w", messages.Unavailable)
	// ErrRefused: it was not sent, as nobody listens at the peer's address. It is
	// an ErrUnreachable.
	ErrRefused = fmt.Errorf("nobody listens there: %w", ErrUnreachable)
	// ErrNotMe: it was not sent, as another member is at that address now, or the
	// one that is refuses this process. It is an ErrUnreachable.
	ErrNotMe = fmt.Errorf("that member refuses: %w", ErrUnreachable)
	// ErrBroken: the stream broke before the answer. The outcome is unknown.
	ErrBroken = fmt.Errorf("the connection broke before the answer: %w", messages.Unavailable)
	// ErrTimeout: the deadline passed before the answer. The outcome is unknown.
	ErrTimeout = fmt.Errorf("no answer in time: %w", messages.Unavailable)
	// ErrStopped: this process has stopped its transport. It was not sent.
	ErrStopped = fmt.Errorf("this node is stopping: %w", messages.Unavailable)
	// ErrTooLarge: larger than MaxPayloadBytes. It was not sent.
	ErrTooLarge = fmt.Errorf("larger than one message may be: %w", messages.Invalid)
)
