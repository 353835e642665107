package cluster

import (
	"errors"

	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/messages"
)

// movedError says that nothing was answered here, and that the same request,
// under the same dedupe id, can be sent again: to whoever owns the grain then.
type movedError struct {
	why   string
	index uint64 // of the view that whoever said it acts under; 0: not known
	maybe bool   // it may have been done all the same
}

func (e *movedError) Error() string { return e.why + ": " + messages.Unavailable.Error() }
func (e *movedError) Unwrap() error { return messages.Unavailable }

var (
	errElsewhere = &movedError{why: "it lives on another node"}
	errSettling  = &movedError{why: "it is being handed over"}
	errUnleased  = &movedError{why: "this node does not know whether it is still a member"}
	errFenced    = &movedError{why: "this node has lost its membership"}
	errNotYet    = &movedError{why: "this node is not ready yet"}
	errNoOwner   = &movedError{why: "no node can take it now"}
	errLost      = &movedError{why: "it could not be passed on any further"}
)

// again says whether asking again may help, and is safe.
func again(err error) bool {
	var moved *movedError
	return errors.As(err, &moved) ||
		errors.Is(err, peer.ErrUnreachable) || errors.Is(err, peer.ErrBroken)
}

// newerView is the index of a view by which somebody knows better, or 0.
func newerView(err error) uint64 {
	var moved *movedError
	if errors.As(err, &moved) {
		return moved.index
	}
	return 0
}

// maybe says whether what failed with err may have been done all the same.
func maybe(err error) bool {
	var moved *movedError
	if errors.As(err, &moved) {
		return moved.maybe
	}
	return errors.Is(err, peer.ErrBroken)
}

// doubtful is err of what may have been done all the same.
func doubtful(err error) error {
	var moved *movedError
	if !errors.As(err, &moved) || moved.maybe {
		return err
	}
	return &movedError{why: moved.why, index: moved.index, maybe: true}
}
