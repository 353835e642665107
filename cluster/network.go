package cluster

import (
	"context"
	"time"

	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// Network is the other members, as the shell needs them: who they are, whether
// this process is still one of them, and how to speak to them.
// Connect makes the real one, package clustertest one in memory. Safe for
// concurrent use.
type Network interface {
	// Attach names who takes what comes in. It is called once, before all else;
	// the present view is told at once, if there is one.
	Attach(Shell)

	// Self is this member; its ID changes when it has to join again.
	Self() view.Member

	// View is the newest view, nil before the first.
	View() *view.View

	// Leased says whether nobody can have taken over what this member owns.
	Leased(now time.Time) bool

	// Stable is the newest view that every member has come to, and who was
	// evicted before has been gone for long enough; changed is closed when there
	// is a newer one.
	Stable() (index uint64, changed <-chan struct{})

	// Released says that this member holds no grain that is not its own under
	// the view of that index, and will activate none.
	Released(index uint64)

	// Send is peer's: it never blocks, and answer is called once, after Send has
	// returned. It may be nil for a tell.
	Send(to view.Member, e *messages.Envelope, answer func(*messages.Reply, error))

	// Notify and Push tell a member, or who dialled a stream, what may be lost.
	Notify(to view.Member, n *messages.Notice)
	Push(stream uint64, n *messages.Notice) error

	// SetHosts says which hypervisors this member drives.
	SetHosts(ctx context.Context, hosts []string) error

	// Drain marks this member as leaving, and returns once all has been handed
	// over; Leave does so too, and then ends the membership.
	Drain(ctx context.Context) error
	Leave(ctx context.Context) error
}

// Shell is what a Network tells; *Node is one. No method blocks.
type Shell interface {
	// Call and Notice take what members and clients send; Gone ends what was
	// begun by a stream. They are peer.Handler's and peer.Leaver's.
	Call(from peer.Identity, e *messages.Envelope, answer func(*messages.Reply))
	Notice(from peer.Identity, n *messages.Notice)
	Gone(from peer.Identity)

	// OnView tells of a newer view.
	OnView(*view.View)

	// OnFenced tells that this process is no member any more: what it holds in
	// memory may be old, and nothing that it says counts.
	OnFenced(reason error)

	// OnJoined tells that it is a member again, under a new id.
	OnJoined(self view.Member)

	// OldestPeer is the oldest protocol that a node which joins must speak: one that
	// speaks an older one could not read what the members have written.
	OldestPeer() uint32
}
