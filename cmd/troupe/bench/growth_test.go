package bench

import "testing"

// TestShare: members of whom each does the same make twice the traffic when they
// are twice as many, and that is linear.
func TestShare(t *testing.T) {
	few := traffic{300, 30_000, 60, 6000}.over(3 * 10)
	many := traffic{600, 60_000, 120, 24_000}.over(6 * 10)
	if got, want := many.by(few), (share{1, 1, 1, 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
