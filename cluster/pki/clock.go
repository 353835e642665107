package pki

import (
	"fmt"
	"time"

	"github.com/troupe-cloud/troupe/messages"
)

// MaxClockSkew is by how much the clocks of two processes may differ. Deadlines
// and the validity of certificates rest on it.
const MaxClockSkew = 30 * time.Second

// ErrClock means that two clocks differ by more than MaxClockSkew.
var ErrClock = fmt.Errorf("the clocks differ too much: %w", messages.Invalid)

// CheckClock compares this process's clock with another's. The error is ErrClock
// with a sentence that shows both.
func CheckClock(local, remote time.Time) error {
	skew := remote.Sub(local)
	if skew.Abs() <= MaxClockSkew {
		return nil
	}
	how := "behind"
	if skew > 0 {
		how = "ahead"
	}
	return &clockError{fmt.Sprintf("the other clock (%s) is %v %s of this one (%s); the limit is %v: set the clocks, e.g. by NTP",
		stamp(remote), skew.Abs().Round(time.Second), how, stamp(local), MaxClockSkew)}
}

type clockError struct{ sentence string }

func (e *clockError) Error() string { return e.sentence + ": " + messages.Invalid.Error() }
func (e *clockError) Unwrap() error { return ErrClock }

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
