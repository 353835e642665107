// Package drivertest owns the conformance suite that every driver passes: what
// the contract of package drivers says, as tests. It knows no hypervisor; a
// Fixture says what may be done to the one at hand.
package drivertest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/drivers"
	"github.com/troupe-cloud/troupe/messages"
)

// Fixture is a driver to test, and what the suite may do to it. Driver and Spec
// are required; a test whose function is nil is skipped, and says so.
type Fixture struct {
	Driver drivers.Driver

	// Epoch is the newest that the hypervisor has seen, or newer. The suite goes on
	// from there, by less than EpochStep in each test.
	Epoch uint64

	// Second is another driver of the same hypervisor, as another process would
	// have. Each of its operations calls halfway, with no lock held that is of that
	// process alone, between the check of its fence and the act.
	Second func(t *testing.T, halfway func()) drivers.Driver

	// Neighbour is a driver of another hypervisor that shares the storage of disks
	// with the first.
	Neighbour func(t *testing.T) drivers.Driver

	// Spec makes a spec for a new instance that this driver can build. Its
	// config drive's hostname is Hostname.
	Spec func() *messages.DomainSpec

	// Broken lists specs whose Build must fail, with the kind it fails with.
	Broken map[string]Broken

	// Half leaves behind what a build leaves that was cut off in the middle.
	Half func(t *testing.T, spec *messages.DomainSpec)

	// Crash kills a running guest from outside.
	Crash func(t *testing.T, id string)

	// Cut breaks the driver's connection; it comes back without further help.
	Cut func(t *testing.T)

	// Foreign puts a domain there that is not ours, under this UUID, and
	// returns a function that says whether it is still there, untouched.
	Foreign func(t *testing.T, id string) func() bool

	// Booted waits until the guest can hear the power button.
	Booted func(t *testing.T, id string)

	// Leavings names what is still there of an instance: domain, files, lease.
	Leavings func(t *testing.T, id string) []string
}

// Broken is a spec that cannot be built, and the kind of error that says so.
type Broken struct {
	Spec *messages.DomainSpec
	Kind error
}

// EpochStep is by how much Epoch grows from test to test.
const EpochStep = 100

// Hostname is what the specs of a Fixture call their guests.
const Hostname = "guest-of-drivertest"

// patience is how long anything in the suite may take; it is no measurement.
const patience = 6 * time.Minute

// Run runs the whole suite. make is called for each test and may hand out the
// same driver again: the suite removes what it builds.
func Run(t *testing.T, make func(*testing.T) Fixture) { RunSome(t, make, "") }

// RunSome runs the tests of the suite whose names contain the given words.
func RunSome(t *testing.T, make func(*testing.T) Fixture, words string) {
	for _, c := range []struct {
		name string
		test func(*harness)
	}{
		{"inventory", testInventory},
		{"absent domains", testAbsent},
		{"one whole life", testLife},
		{"orders", testOrders},
		{"an ended context", testContext},
		{"epochs", testEpochs},
		{"an older epoch that was stopped and goes on", testPaused},
		{"left off, if the spec says so", testStopped},
		{"release", testRelease},
		{"a disk that hosts share", testShared},
		{"broken specs leave nothing", testBroken},
		{"build over what a crash left", testHalf},
		{"foreign domains are left alone", testForeign},
		{"crash of a guest", testCrash},
		{"lost connection", testCut},
		{"guests that are asked to stop", testGraceful},
	} {
		if !strings.Contains(c.name, words) {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			t.Cleanup(cancel)
			f := make(t)
			c.test(&harness{T: t, Fixture: f, ctx: ctx, epoch: max(1, f.Epoch)})
		})
	}
}
