// Package drivers owns the contract between a host and the hypervisor it
// stands for. A driver makes things true and reports what is; it holds no
// policy, retries nothing, and never touches a domain that Troupe did not make.
// Every driver passes package drivertest.
package drivers

import (
	"context"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// Driver is one hypervisor. All methods are idempotent, bounded by ctx and safe
// for concurrent use; for one instance the caller has at most one of the
// changing methods under way. Errors wrap a kind of package messages:
// NotFound (no such domain), Exhausted (disk or memory full), Invalid (a spec
// or image that can never work), Conflict (a fence older than what has been seen,
// or a disk that is another host's), Unavailable (no connection, or ctx ended: the
// outcome is unknown). A fence is checked and the operation carried out with nothing
// between them: see Fence.
// A domain that is not ours does not exist for any of them: it is NotFound, not
// listed and never changed, whatever its name or UUID; to build over one is Conflict.
type Driver interface {
	// Inventory says what the hypervisor has.
	Inventory(ctx context.Context) (*messages.Inventory, error)

	// Domains lists every domain that Troupe made here, defined or running,
	// with the newest order written in its metadata.
	Domains(ctx context.Context) ([]Domain, error)

	// Domain reads one; NotFound if it is not defined.
	Domain(ctx context.Context, id string) (Domain, error)

	// Lead ends the time of every epoch older than this one. When it returns,
	// nothing of an older one is under way and nothing will be done, so that what is
	// listed from then on is what the new one has to go by. If a newer one leads
	// already, it is ErrSuperseded.
	Lead(ctx context.Context, epoch uint64) error

	// Build makes the domain exist and run (or stay off, if the spec says so):
	// disk, config drive, definition, start. A domain that is so already is success;
	// what a crash left half-made is finished or made again. With TakeDisk the disk
	// is there, on storage that hosts share: it is taken over from the host that had
	// it, and is NotFound if it is not there; without, another host's disk is
	// Conflict. A Build that fails leaves nothing behind but a disk that was there.
	Build(ctx context.Context, spec *messages.DomainSpec) error

	// Start makes a defined domain run. A running one is success.
	Start(ctx context.Context, id string, f Fence) error

	// Stop asks the guest to power off (ACPI), waits up to grace, then powers
	// it off. Grace 0 powers off at once. A stopped domain is success.
	Stop(ctx context.Context, id string, f Fence, grace time.Duration) error

	// Reboot restarts the guest: it asks it (ACPI), waits up to grace for it
	// to go down, and starts it again; with grace 0, or when the guest does
	// not answer, it is reset by power off and on. Afterwards it runs.
	Reboot(ctx context.Context, id string, f Fence, grace time.Duration) error

	// Delete destroys the domain and removes its definition, disks, config
	// drive, console log and network leavings. When it returns nil, nothing is
	// left but a disk that is another host's; an absent domain is success.
	Delete(ctx context.Context, id string, f Fence) error

	// Release is Delete, but a disk on storage that hosts share stays, whoever's
	// it is: the instance lives on elsewhere, or is about to.
	Release(ctx context.Context, id string, f Fence) error

	// Console returns the last max bytes (0: all, up to a limit of the driver's)
	// of the serial console's log.
	Console(ctx context.Context, id string, max int64) ([]byte, error)

	// Watch reports changes until ctx ends. The first event of a connection,
	// and of every reconnection, is Connected: whoever watches should then
	// list Domains, for events may have been missed. Watch reconnects by
	// itself and tells of it by Lost, then Connected. The channel is closed when ctx ends.
	// The states that a changing method passes through (off, in a reboot) are not
	// told, only the one it ends in; an event may come more than once. A watcher
	// that falls too far behind loses events, and gets Lost and Connected instead.
	Watch(ctx context.Context) <-chan Event

	// Close releases what the driver holds. Domains go on running.
	Close() error
}

// Domain is what the hypervisor says of one virtual machine.
type Domain struct {
	ID    string // the instance's
	Power messages.PowerState
	Fence // the newest seen, from the domain's metadata
}

// Event is one thing the hypervisor told us. It says "look again": Domain holds
// what was found by looking, not what the event claimed.
type Event struct {
	Kind   EventKind
	Domain Domain // with Changed and Gone
	Reason string // with Lost
}

// EventKind is what an Event is about.
type EventKind int

// The kinds of event.
const (
	Connected EventKind = iota + 1
	Lost
	Changed // the domain's power state
	Gone    // the domain is not defined any more
)

// Images is where a driver gets the content of images. The file is read-only
// and goes when no image refers to it any more: a driver whose domains need it
// longer takes a link or a copy.
type Images interface {
	// Path is the local file with the content that sha256 (hex) names, fetched
	// if need be. NotFound if nobody has it; Exhausted if there is no room.
	Path(ctx context.Context, sha256 string) (string, error)
}

// Lease is what a host's network must know to give a guest its address.
type Lease struct {
	InstanceID, PortID, MAC, Address, Hostname string
}
