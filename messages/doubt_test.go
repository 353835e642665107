package messages

import (
	"testing"
	"time"
)

// TestDoubt: it counts from the first copy that may have been done, and lasts as long
// as that one is sure to be remembered.
func TestDoubt(t *testing.T) {
	var d Doubt
	began := time.Unix(1e9, 0)
	if d.Raised() || d.Lasts(began.Add(time.Hour)) {
		t.Errorf("nothing was sent: %+v", d)
	}
	d.Raise(began)
	d.Raise(began.Add(RepeatFor))
	if !d.Raised() || d.Lasts(began.Add(RepeatFor)) || !d.Lasts(began.Add(RepeatFor+1)) {
		t.Errorf("%+v", d)
	}
}
