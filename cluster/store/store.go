// Package store owns durable state: one contract, Store, with an embedded
// implementation (bbolt) and one in memory for tests. It knows keys, values and
// revisions, and nothing of actors.
package store

import (
	"context"
	"fmt"

	"github.com/troupe-cloud/troupe/messages"
)

// Limits that every Store enforces with an Invalid error.
const (
	MaxKeyBytes     = 1024
	MaxValueBytes   = 16 << 20
	MaxTxnWrites    = 4096
	MaxTxnBytes     = 64 << 20 // keys and values of one transaction
	MaxListItems    = 1000
	DefaultListSize = 1000
)

// ErrStale is returned by Commit when a check failed: somebody else has written
// since. Nothing of the transaction was written. It wraps messages.Conflict.
var ErrStale = fmt.Errorf("stale revision: %w", messages.Conflict)

// ErrClosed is what a closed Store answers. It wraps messages.Unavailable, but
// the outcome is known: nothing was written.
var ErrClosed = fmt.Errorf("the store is closed: %w", messages.Unavailable)

// What a store across a network can say of a commit that failed. Each wraps
// messages.Unavailable.
var (
	// ErrUndecided: the commit never took place and never will.
	ErrUndecided = fmt.Errorf("nothing was decided: %w", messages.Unavailable)

	// ErrUnknown: the commit may have taken place, or may still.
	ErrUnknown = fmt.Errorf("it may or may not have happened: %w", messages.Unavailable)

	// ErrFenced: the lease that commits depend on is lost; nothing was decided,
	// and nothing will be until there is a new one.
	ErrFenced = fmt.Errorf("this node has lost its lease: %w", ErrUndecided)
)

// ErrCorrupt says that a stored value is not one that a Store wrote; the error
// around it names the key. It wraps messages.Internal.
var ErrCorrupt = fmt.Errorf("the stored value is damaged: %w", messages.Internal)

// Item is one stored value. Revision changes at every write of its key.
type Item struct {
	Key      string
	Value    []byte
	Revision uint64
}

// Write sets Key to Value; a nil Value deletes it (absent already: no error).
type Write struct {
	Key   string
	Value []byte
}

// Check says that Key must stand at Revision; 0 means absent.
type Check struct {
	Key      string
	Revision uint64
}

// Txn is written whole or not at all. Keys written twice: the last one counts.
type Txn struct {
	Checks []Check
	Writes []Write
}

// Store is durable state with compare-and-set. Safe for concurrent use.
type Store interface {
	// Get reads one key; a missing one gives an error that wraps messages.NotFound.
	// It sees every Commit that returned before it was called.
	Get(ctx context.Context, key string) (Item, error)

	// Commit writes txn and returns once it is durable, with the revision that
	// every key written by it now has. ErrStale if a check failed. An error that
	// wraps messages.Unavailable leaves the outcome unknown. Txn's
	// values must not change afterwards.
	Commit(ctx context.Context, txn Txn) (revision uint64, err error)

	// List returns at most limit items (0: DefaultListSize) whose keys begin
	// with prefix and come after the key `after` ("": from the start), in
	// bytewise order of keys. One List is one consistent snapshot. More says
	// whether there are others.
	List(ctx context.Context, prefix, after string, limit int) (items []Item, more bool, err error)

	// Close ends the store; commits under way are finished first.
	Close() error
}

// Sized is a Store whose transactions cost much more beyond some size.
type Sized interface {
	// Cheap is how many writes and how many bytes, of keys and values, a transaction
	// may have that costs no more than a small one; with a check of one of them.
	Cheap() (writes, bytes int)
}

// Loader is a Store that reads a key together with what stands below it.
type Loader interface {
	// Load returns the item of key, if there is one, and those whose keys begin with
	// prefix, in order, all as of one moment that sees every Commit which returned
	// before. Not whole: it is too much for one answer, and nothing is returned.
	Load(ctx context.Context, key, prefix string) (items []Item, whole bool, err error)
}

// Gatherer is a Store in which a list is a journey, and several can be one.
type Gatherer interface {
	// ListAll returns the items whose keys begin with any of the prefixes, of which none
	// may begin with another, in order, all as of one moment that sees every Commit which
	// returned before. Not whole: it is too much for one answer, and nothing is returned.
	ListAll(ctx context.Context, prefixes ...string) (items []Item, whole bool, err error)
}

// Submitter is a Store that can commit without a goroutine that waits for it.
// Done is called once with what Commit would have returned, on any goroutine,
// and must not block. Submit waits only while the store's queue is full.
type Submitter interface {
	Submit(txn Txn, done func(revision uint64, err error))
}
