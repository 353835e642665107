package cluster

import "time"

const (
	// courtesyShare is the part of the time that what nobody waits for may stand back in
	// the long run, and courtesyMost how much of it may be saved for when it is needed:
	// more than a collection takes, or a checkpoint.
	courtesyShare = 4 // one in so many
	courtesyMost  = 500 * time.Millisecond
	// leastCourtesy is not worth a timer.
	leastCourtesy = time.Millisecond
	// courtesyBacklog is how many mailboxes may wait for their turn until nobody stands
	// back for others: what waits takes memory, and is asked about again.
	courtesyBacklog = 512
)

// courtesy is how long work that nobody waits for may still stand back, while there
// is more that somebody waits for than there are cores. It runs out, so that
// under a load that never ends everything makes progress, and those who ask do not get
// far ahead of what has to be done for them. The zero value has all of
// it; it belongs to whoever locks it.
type courtesy struct {
	saved time.Duration
	since time.Time // when it began to stand back, or when it last ended
	shown bool      // it stands back now
}

// show says whether work should stand back now, as it wishes to; and for how much longer at most.
func (c *courtesy) show(now time.Time, wish bool) (time.Duration, bool) {
	passed := now.Sub(c.since)
	switch {
	case c.shown && wish && passed < c.saved:
		return c.saved - passed, true
	case c.shown:
		*c = courtesy{saved: max(c.saved-passed, 0), since: now}
		return 0, false
	case !wish:
		return 0, false
	}
	saved := courtesyMost
	if !c.since.IsZero() {
		saved = min(c.saved+passed/courtesyShare, courtesyMost)
	}
	if saved < leastCourtesy {
		return 0, false
	}
	*c = courtesy{saved: saved, since: now, shown: true}
	return saved, true
}
