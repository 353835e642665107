package messages

import "time"

// RepeatFor is how long a command of which it is not known whether it was done may
// be sent again: what did it is sure to remember it for longer.
const RepeatFor = 10 * time.Second

// Doubt is about one command that is sent again until it is answered: whether a copy
// of it may have been done although no answer came. The zero Doubt is none.
type Doubt struct{ since time.Time }

// Raise says that the copy sent then may have been done. The first such copy counts.
func (d *Doubt) Raise(sent time.Time) {
	if d.since.IsZero() {
		d.since = sent
	}
}

// Raised says whether a copy may have been done: every later one has to be marked so.
func (d Doubt) Raised() bool { return !d.since.IsZero() }

// Lasts says whether a copy may have been done so long ago that what did it need not
// remember it any more: then no other may be sent.
func (d Doubt) Lasts(now time.Time) bool { return d.Raised() && now.Sub(d.since) > RepeatFor }
