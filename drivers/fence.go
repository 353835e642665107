package drivers

import (
	"fmt"

	"github.com/troupe-cloud/troupe/messages"
)

// Fence is what a changing operation shows to be let in. Epoch is of the node
// that drives the hypervisor, and grows with each one that does, or does again;
// Order numbers what is wanted of one instance. A hypervisor remembers the newest
// epoch that it has seen, a domain the newest order and its epoch: what is older in
// either is refused with Conflict and changes nothing. So a process that was
// stopped, and believes when it goes on that its time is not over, can do no harm.
type Fence struct{ Epoch, Order uint64 }

// FenceOf is the fence of a build.
func FenceOf(s *messages.DomainSpec) Fence { return Fence{s.GetEpoch(), s.GetOrder()} }

// ErrSuperseded is what an operation of an older epoch gets: another node, or this
// one under a newer registration, drives the hypervisor now. Nothing was changed. It
// is a Conflict.
var ErrSuperseded = &messages.Refusal{Kind: messages.Conflict, Sentence: "the hypervisor is driven by a newer epoch"}

// Superseded is ErrSuperseded with both epochs.
func Superseded(seen, asked uint64) error {
	return fmt.Errorf("%w: it has seen epoch %d, %d is older", ErrSuperseded, seen, asked)
}

// Against refuses f where what has been seen is newer.
func (f Fence) Against(seen Fence) error {
	if f.Epoch < seen.Epoch {
		return Superseded(seen.Epoch, f.Epoch)
	}
	if f.Order < seen.Order {
		return fmt.Errorf("it has seen order %d, %d is older: %w", seen.Order, f.Order, messages.Conflict)
	}
	return nil
}
