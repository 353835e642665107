package view

import (
	"slices"
	"time"
)

// Detector finds out which of the members that one watches are dead. It
// suspects whoever gave no pong for a while, or refused connections; then others
// are asked to reach the suspect; whom nobody can reach is condemned. Whether
// this member may act on that depends on how many others it can reach itself.
type Detector struct {
	id      string
	timings Timings
	peers   map[string]*watched // all members but this one
	ticked  time.Time
}

type watched struct {
	member    Member
	heard     time.Time // arrival of the last sign of life, direct or by others
	ponged    time.Time // arrival of the last pong
	called    time.Time // arrival of the last ping that it sent
	refused   int       // connections refused in a row
	suspected time.Time // zero: not suspected
	asked     map[string]bool
	denied    int // of those asked, how many could not reach it
	age       time.Duration
	ageAt     time.Time // when it said so
}

// NewDetector is for the member with this id.
func NewDetector(id string, t Timings) *Detector {
	return &Detector{id: id, timings: t, peers: map[string]*watched{}}
}

// Seen takes the next view. Who is new gets the benefit of the doubt.
func (d *Detector) Seen(now time.Time, v *View) {
	for _, m := range v.Members {
		if m.ID == d.id {
			continue
		}
		p := d.peers[m.ID]
		if p == nil {
			p = &watched{heard: now}
			d.peers[m.ID] = p
		}
		p.member = m
	}
	for id := range d.peers {
		if !v.Has(id) {
			delete(d.peers, id)
		}
	}
}

// Awake must be called at every tick. The time for which this process itself
// stood still is nobody else's fault.
func (d *Detector) Awake(now time.Time) {
	if gap := now.Sub(d.ticked) - d.timings.Tick; !d.ticked.IsZero() && gap > d.timings.PingEvery {
		for _, p := range d.peers {
			p.heard = p.heard.Add(gap)
			p.suspected, p.refused = time.Time{}, 0
		}
	}
	d.ticked = now
}

// Ponged takes a pong; age is how long its sender has been without the table's
// confirmation.
func (d *Detector) Ponged(now time.Time, id string, age time.Duration) {
	if p := d.peers[id]; p != nil {
		p.alive(now)
		p.ponged, p.age, p.ageAt = now, age, now
	}
}

func (p *watched) alive(now time.Time) {
	p.heard, p.refused, p.suspected = now, 0, time.Time{}
}

// Called takes a ping of another member.
func (d *Detector) Called(now time.Time, id string) {
	if p := d.peers[id]; p != nil {
		p.called = now
	}
}

// mute reports whether others, whose pongs do not arrive, go on pinging this
// member: then it is this one that cannot make itself heard, and they will judge.
func (d *Detector) mute(now time.Time) bool {
	for _, p := range d.peers {
		if now.Sub(p.called) < d.timings.SuspectAfter && p.called.Sub(p.ponged) > 2*d.timings.PingEvery {
			return true
		}
	}
	return false
}

// Missed takes a ping that failed; refused means that nobody listens there.
func (d *Detector) Missed(id string, refused bool) {
	switch p := d.peers[id]; {
	case p == nil:
	case refused:
		p.refused++
	default:
		p.refused = 0
	}
}

// Asked takes what a helper said about a suspect.
func (d *Detector) Asked(now time.Time, about string, lives bool) {
	switch p := d.peers[about]; {
	case p == nil || p.suspected.IsZero():
	case lives:
		p.alive(now)
	default:
		p.denied++
	}
}

// Suspect moves the watched members on, and returns whom to ask about whom.
func (d *Detector) Suspect(now time.Time, watch []Member) (asks []AskAbout) {
	for _, m := range watch {
		p := d.peers[m.ID]
		if p == nil || !p.suspected.IsZero() {
			continue
		}
		if now.Sub(p.heard) < d.timings.SuspectAfter && p.refused < refusalsCount {
			continue
		}
		p.suspected, p.denied, p.asked = now, 0, map[string]bool{}
		for _, h := range d.helpers(now, m.ID) {
			p.asked[h.ID] = true
			asks = append(asks, AskAbout{Helper: h, About: p.member})
		}
	}
	// Forget suspicions of members that are watched by others now.
	for id, p := range d.peers {
		if !p.suspected.IsZero() && !slices.ContainsFunc(watch, func(m Member) bool { return m.ID == id }) {
			p.suspected, p.heard = time.Time{}, now
		}
	}
	return asks
}

// helpers are the others that gave a sign of life last.
func (d *Detector) helpers(now time.Time, suspect string) []Member {
	var all []*watched
	for id, p := range d.peers {
		if id != suspect && p.suspected.IsZero() && p.refused == 0 {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b *watched) int {
		if c := b.ponged.Compare(a.ponged); c != 0 {
			return c
		}
		if a.member.Name < b.member.Name {
			return -1
		}
		return 1
	})
	var chosen []Member
	for _, p := range all[:min(len(all), helpersAsked)] {
		chosen = append(chosen, p.member)
	}
	return chosen
}

// Suspects reports whether anybody is suspected.
func (d *Detector) Suspects() bool {
	for _, p := range d.peers {
		if !p.suspected.IsZero() {
			return true
		}
	}
	return false
}

// Condemned are the suspects that nobody could reach and that this member may
// evict by now. self is the name of this member.
func (d *Detector) Condemned(now time.Time, self string) (dead []Member) {
	reached, first := 1, self
	for _, p := range d.peers {
		if !p.ponged.IsZero() && now.Sub(p.ponged) < d.timings.SuspectAfter {
			reached++
			first = min(first, p.member.Name)
		}
	}
	if all := len(d.peers) + 1; 2*reached <= all && d.mute(now) {
		return nil
	}
	wait := d.delay(reached, first)
	for _, p := range d.peers {
		if p.suspected.IsZero() {
			continue
		}
		waited := now.Sub(p.suspected)
		answered := p.denied >= len(p.asked) || waited >= d.timings.Indirect
		if answered && (waited >= wait || p.refused >= refusalsCount && len(d.peers) == 1) {
			dead = append(dead, p.member)
		}
	}
	slices.SortFunc(dead, func(a, b Member) int { return compareNames(a, b) })
	return dead
}

// delay is how long a part of the members of that size, with that first name,
// waits before it evicts: the greater part shall win, and of two halves the
// one with the first name. A minority does it too in the end, for the others may
// really be dead; if they are not, they have evicted this member by then, and a
// member that is evicted can evict nobody.
func (d *Detector) delay(reached int, first string) time.Duration {
	switch all := len(d.peers) + 1; {
	case 2*reached > all:
		return 0
	case 2*reached < all:
		return d.timings.MinorityDelay
	}
	for _, p := range d.peers {
		if p.member.Name < first {
			return d.timings.TieDelay
		}
	}
	return 0
}

// Cut are the watched members that live, but say that the table has not
// confirmed them for Timings.CutAfter: they can neither commit nor read, and
// their grains are better off elsewhere. To be asked only by a member that has
// reached the table all that time.
func (d *Detector) Cut(now time.Time, watch []Member) (cut []Member) {
	for _, m := range watch {
		if p := d.peers[m.ID]; p != nil && p.age >= d.timings.CutAfter && now.Sub(p.ageAt) < d.timings.SuspectAfter {
			cut = append(cut, p.member)
		}
	}
	return cut
}
