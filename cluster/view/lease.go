package view

import "time"

// Lease says whether a member may answer reads from memory: only while it is
// certain that nobody else has taken its grains over.
//
// That is so for Timings.Lease after the *sending* of a question that the table
// answered with "you are a member", because others leave the grains of a member
// alone for Lease + Margin after they saw it go. When the table cannot be asked,
// the word of all other members stands in: each says that it has not tried to
// evict this one and knows no later view. Whoever has joined since must be known to
// one of them before it may evict (see Self.settle).
//
// What this cannot see is a table that forgets every member at once because none
// can renew its session while all can reach each other; Extension bounds that.
type Lease struct {
	timings   Timings
	confirmed time.Time // sending of the last question that was answered with yes
	failing   bool      // the last question was not answered
	since     time.Time // of the first yes in an unbroken row of them
}

// NewLease is without a confirmation.
func NewLease(t Timings) *Lease { return &Lease{timings: t} }

// Confirmed takes a yes of the table to a question sent then.
func (l *Lease) Confirmed(now, sent time.Time) {
	if l.failing || l.since.IsZero() {
		l.failing, l.since = false, now
	}
	if sent.After(l.confirmed) {
		l.confirmed = sent
	}
}

// Failed takes a question that was not answered.
func (l *Lease) Failed() { l.failing = true }

// Age is the time since the sending of the last confirmed question, -1 before
// the first.
func (l *Lease) Age(now time.Time) time.Duration {
	if l.confirmed.IsZero() {
		return -1
	}
	return now.Sub(l.confirmed)
}

// Reaches reports whether the table has answered everything for that long.
func (l *Lease) Reaches(now time.Time, long time.Duration) bool {
	return !l.failing && !l.since.IsZero() && now.Sub(l.since) >= long && l.Age(now) < l.timings.Lease
}

// Until is when the lease ends. vouched are the sendings of the pings to which
// each other member has answered that this one is not evicted (zero: it did
// not); trusted means that no later view is known.
func (l *Lease) Until(trusted bool, vouched []time.Time) time.Time {
	if l.confirmed.IsZero() {
		return time.Time{}
	}
	end := l.confirmed.Add(l.timings.Lease)
	if !trusted {
		return end
	}
	word := l.confirmed.Add(l.timings.Extension)
	if len(vouched) == 0 {
		word = l.confirmed.Add(l.timings.ExtensionAlone)
	}
	for _, sent := range vouched {
		if until := sent.Add(l.timings.Lease); until.Before(word) {
			word = until
		}
	}
	if word.After(end) {
		return word
	}
	return end
}
