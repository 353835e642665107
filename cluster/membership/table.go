package membership

import (
	"context"
	"errors"
	"fmt"

	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// Table is the one list of members. Its views are totally ordered by index. An
// error without a kind of its own is messages.Unavailable: the table could not be
// asked, and whether a change was made is not known. Safe for concurrent use.
type Table interface {
	// Join registers m, and returns it with its Epoch, which is at least m's.
	// NameTaken if a member has the name.
	Join(ctx context.Context, m view.Member) (view.Member, error)

	// Watch returns once the table is newer than after, or when its wait has
	// passed, with the same index. It may return a view that is a little old.
	Watch(ctx context.Context, after uint64) (*view.View, error)

	// Read returns the table as it is at some time after the call.
	Read(ctx context.Context) (*view.View, error)

	// Confirm tells whether this registration is in the table, at some time after
	// the call.
	Confirm(ctx context.Context, m view.Member) (bool, error)

	// Update writes hosts and leaving. ErrGone if m is not registered any more.
	Update(ctx context.Context, m view.Member) error

	// Evict removes a registration; one that is gone already is success. It is
	// done in the name of a member, and refused, with messages.Conflict, if that
	// is none itself; with an empty by.ID nobody is asked. ErrUntouched if it is
	// certain that nothing was and will be done.
	Evict(ctx context.Context, by, m view.Member) error

	// Leave removes one's own registration, and what stands behind it.
	Leave(ctx context.Context, m view.Member) error

	// Renew keeps the registration alive. ErrGone if it is not.
	Renew(ctx context.Context, m view.Member) error

	// Fence is what a commit may depend on: the lock on a key, held by a session
	// that this registration, and no other, has. Empty if m is not registered.
	Fence(m view.Member) (key, session string)
}

var (
	// ErrGone: the registration is not in the table.
	ErrGone = fmt.Errorf("this registration is not in the member table: %w", messages.NotFound)
	// ErrUntouched: nothing was done.
	ErrUntouched = errors.New("nothing was changed")
)

// NameTaken is why a member cannot join: another has its name.
type NameTaken struct{ Holder view.Member }

func (e *NameTaken) Error() string {
	return fmt.Sprintf("there is a member %s already, at %s", e.Holder.Name, e.Holder.Address)
}

// Is makes it a messages.Conflict.
func (e *NameTaken) Is(target error) bool { return target == messages.Conflict }
