// Package leaktest owns the check that no goroutine outlives the tests of a
// package. It is for TestMain and tests only, and knows nothing of what they test.
package leaktest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience bounds how long goroutines may take to end that have been told to. A busy
// machine may not let them run for seconds; goleak alone waits for half a second.
const patience = 30 * time.Second

// Main runs the tests and ends the process, with a failure also if a goroutine is
// left that allowed does not except.
func Main(m *testing.M, allowed ...goleak.Option) { os.Exit(Run(m, allowed...)) }

// Run is Main for who has something to tidy up before the process ends: it returns
// the exit code.
func Run(m *testing.M, allowed ...goleak.Option) int {
	if code := m.Run(); code != 0 {
		return code
	}
	if err := Find(allowed...); err != nil {
		fmt.Fprintln(os.Stderr, "after the tests:", err)
		return 1
	}
	return 0
}

// Find waits until no goroutine is left that allowed does not except. After half a
// minute it returns an error that shows those that are.
func Find(allowed ...goleak.Option) error { return find(patience, allowed) }

func find(patience time.Duration, allowed []goleak.Option) error {
	for end := time.Now().Add(patience); ; {
		err := goleak.Find(allowed...)
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}
