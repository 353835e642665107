package host

import (
	"time"

	"github.com/troupe-cloud/troupe/actors"
)

// RestTime is for how long a host keeps its entry among the unsettled after the last
// order has ended. One that builds all the time would else write it with each order and
// delete it with each outcome.
const RestTime = 30 * time.Second

func (s State) busy() bool { return s.Working+s.Untold > 0 }

// keep: it is activated again after its node died. One with followers is, too, for else
// nobody would say that its node died.
func keep(s State) bool { return s.Kept || s.Followers > 0 }

// lingers is s with Kept and Quiet as they follow from what it was before.
func (s State) lingers(before State, in actors.Input) State {
	switch {
	case !in.Writes(actors.FormatLean):
		s.Kept, s.Quiet = s.busy(), time.Time{}
	case s.busy():
		s.Kept = true
	case before.busy():
		s.Quiet = in.Now
	}
	return s
}

// wake is when the entry may go; at once, if it is not known since when it may.
func wake(s State) time.Time {
	switch {
	case !s.Kept || s.busy():
		return time.Time{}
	case s.Quiet.IsZero():
		return time.Unix(0, 0)
	}
	return s.Quiet.Add(RestTime)
}

// rest has the entry go, if it is time.
func rest(s State, now time.Time) State {
	if at := wake(s); !at.IsZero() && !now.Before(at) {
		s.Kept = false
	}
	return s
}
