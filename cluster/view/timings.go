package view

import "time"

// Timings are the delays by which members judge each other. All members of a
// cloud must agree about Lease and Margin.
type Timings struct {
	Tick          time.Duration // how often Self.Tick is called
	PingEvery     time.Duration // between two pings of a member that one watches
	SuspectAfter  time.Duration // without a pong
	Indirect      time.Duration // that others have to reach a suspect
	TieDelay      time.Duration // for half of the members without the first name, before they evict
	MinorityDelay time.Duration // for less than half, before they evict
	CutAfter      time.Duration // a member that the table has not confirmed for that long is evicted by those that it has
	EvictAgain    time.Duration // between two attempts to evict

	ConfirmEvery   time.Duration // between two questions whether one is still a member
	Lease          time.Duration // for which a confirmation, or a word of all others, allows reads
	Margin         time.Duration // for clocks that do not run at one speed
	Extension      time.Duration // for which the others' word can stand in for the table's
	ExtensionAlone time.Duration // the same for a member that has no others: less than the session lives
}

// DefaultTimings are those of a real cloud: a killed member is out within 0.8 s
// if its machine refuses connections and 2 s if not, and its grains are
// available again after Lease + Margin more.
func DefaultTimings() Timings {
	return Timings{
		Tick: 50 * time.Millisecond, PingEvery: 250 * time.Millisecond,
		SuspectAfter: 1250 * time.Millisecond, Indirect: 400 * time.Millisecond,
		TieDelay: time.Second, MinorityDelay: 1750 * time.Millisecond,
		CutAfter: 3 * time.Second, EvictAgain: 500 * time.Millisecond,
		ConfirmEvery: 400 * time.Millisecond, Lease: 1200 * time.Millisecond,
		Margin: 200 * time.Millisecond, Extension: time.Minute, ExtensionAlone: 9 * time.Second,
	}
}

// Scaled are timings for tests that cannot wait, all by one factor.
func (t Timings) Scaled(factor float64) Timings {
	for _, d := range []*time.Duration{
		&t.Tick, &t.PingEvery, &t.SuspectAfter, &t.Indirect, &t.TieDelay, &t.MinorityDelay, &t.CutAfter,
		&t.EvictAgain, &t.ConfirmEvery, &t.Lease, &t.Margin, &t.Extension, &t.ExtensionAlone,
	} {
		*d = time.Duration(float64(*d) * factor)
	}
	return t
}

const (
	watchedByEach = 3 // successors on the ring that a member pings
	helpersAsked  = 3 // members that are asked to reach a suspect
	refusalsCount = 2 // refused connections in a row that make a suspect
	maxHistory    = 64
	maxStrangers  = 256 // senders outside the view whose word on indexes is kept
)
