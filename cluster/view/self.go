package view

import (
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Self is what one start of a node, from its registration to its end, knows and
// believes about itself and the others: detector, lease and barrier put
// together. It is told what happened, and when by this process' monotonic clock;
// it returns what to do. It is not safe for use by several goroutines.
type Self struct {
	id       string
	name     string
	timings  Timings
	view     *View
	detector *Detector
	lease    *Lease
	barrier  *Barrier
	fenced   bool

	vouched map[string]time.Time // sendings of the pings to which others said: not evicted
	words   []time.Time          // the same for a moment, kept to be used again
	tried   map[string]time.Time // whom this one has tried to evict, and when last
	known   map[string]word      // the highest index that each sender is known to know
	joined  uint64               // index of the first view
	settled bool                 // a settled member knows of this one; see settle
	acked   map[string]bool      // settled members that know of it
	changed time.Time            // when the present view was taken
	pinged  time.Time
	read    time.Time // when a consistent look was last asked for
	said    uint64
	stable  uint64
}

type word struct {
	index uint64
	at    time.Time
}

// NewSelf is for a member whose registration stands in the given view. sent is
// when the registration was sent: it is the first confirmation.
func NewSelf(now, sent time.Time, id string, v *View, t Timings) (*Self, []Effect) {
	m, _ := v.ByID(id)
	s := &Self{
		id: id, name: m.Name, timings: t,
		detector: NewDetector(id, t), barrier: NewBarrier(id, t.Lease+t.Margin), lease: NewLease(t),
		vouched: map[string]time.Time{}, tried: map[string]time.Time{},
		known: map[string]word{}, acked: map[string]bool{},
	}
	s.joined = v.Index
	s.lease.Confirmed(now, sent)
	return s, s.Seen(now, v)
}

// Seen takes a view of the table. Older ones than the present are ignored: they
// come when answers overtake each other.
func (s *Self) Seen(now time.Time, v *View) []Effect {
	if s.fenced || s.view != nil && v.Index <= s.view.Index {
		return nil
	}
	if !v.Has(s.id) {
		return s.fence("the table does not list this member any more")
	}
	s.view, s.changed = v, now
	s.detector.Seen(now, v)
	s.barrier.Seen(now, v)
	for id := range s.tried {
		if !v.Has(id) {
			delete(s.tried, id)
		}
	}
	for id := range s.vouched {
		if !v.Has(id) {
			delete(s.vouched, id)
		}
	}
	s.forget(func(w word) bool { return w.index <= v.Index })
	s.settle()
	return s.moved(now)
}

// Read takes a consistent look at the table that was begun then. Whoever had told
// of a later index before that spoke of another table. And if the table has an
// older index than before, with other members, it is another table: one that was
// restored.
func (s *Self) Read(now, began time.Time, v *View) []Effect {
	do := s.Seen(now, v)
	if s.fenced {
		return do
	}
	s.forget(func(w word) bool { return w.at.Before(began) && w.index > v.Index })
	if s.changed.Before(began) && v.Index < s.view.Index && !v.Same(s.view) {
		return s.fence("the table is not the one that this member joined")
	}
	return do
}

func (s *Self) forget(which func(word) bool) {
	for id, w := range s.known {
		if which(w) {
			delete(s.known, id)
		}
	}
}

func (s *Self) fence(reason string) []Effect {
	s.fenced = true
	return []Effect{Fence{Reason: reason}}
}

// settle: a member evicts nobody and serves nothing before one of those that
// registered earlier, and is settled itself, knows of it; or there are none. Else
// it could evict somebody for whom all those vouch that were there before it: see
// Lease. Unsettled ones do not count, for nobody may know of any of them.
func (s *Self) settle() {
	if s.settled {
		return
	}
	me, _ := s.view.ByID(s.id)
	first := true
	for _, m := range s.view.Members {
		if m.Epoch < me.Epoch {
			first = false
			s.settled = s.settled || s.acked[m.ID]
		}
	}
	s.settled = s.settled || first
}

// Tick is to be called every Timings.Tick.
func (s *Self) Tick(now time.Time) (do []Effect) {
	if s.fenced {
		return nil
	}
	s.detector.Awake(now)
	watch := s.view.Successors(s.id, watchedByEach)
	for _, ask := range s.detector.Suspect(now, watch) {
		do = append(do, ask)
	}
	if now.Sub(s.pinged) >= s.timings.PingEvery {
		s.pinged = now
		for _, m := range s.toPing(now, watch) {
			do = append(do, PingMember{To: m})
		}
	}
	if s.settled {
		do = append(do, s.evictions(now, watch)...)
	}
	if s.latest() > s.view.Index && now.Sub(s.read) >= s.timings.ConfirmEvery {
		s.read = now
		do = append(do, ReadTable{})
	}
	return append(do, s.moved(now)...)
}

// toPing are those that this member watches; all when all matter: because a
// suspect must be judged, the table is silent, or nobody knows this one yet; and
// else those whose word is missing for a stable view.
func (s *Self) toPing(now time.Time, watch []Member) []Member {
	if !s.settled || s.detector.Suspects() || s.lease.Age(now) >= 3*s.timings.ConfirmEvery/2 {
		return s.others()
	}
	to := watch
	for _, m := range s.barrier.Missing() {
		if !containsID(watch, m.ID) {
			to = append(to[:len(to):len(to)], m)
		}
	}
	return to
}

func containsID(members []Member, id string) bool {
	for i := range members {
		if members[i].ID == id {
			return true
		}
	}
	return false
}

func (s *Self) others() (others []Member) {
	for _, m := range s.view.Members {
		if m.ID != s.id {
			others = append(others, m)
		}
	}
	return others
}

func (s *Self) evictions(now time.Time, watch []Member) (do []Effect) {
	evict := func(dead []Member, why string) {
		for _, m := range dead {
			if now.Sub(s.tried[m.ID]) < s.timings.EvictAgain {
				continue
			}
			s.tried[m.ID] = now
			do = append(do, EvictMember{Member: m, Why: why})
		}
	}
	evict(s.detector.Condemned(now, s.name), "nobody can reach it")
	if s.lease.Reaches(now, s.timings.CutAfter) {
		evict(s.detector.Cut(now, watch), "it cannot reach the member table, and others can")
	}
	return do
}

// moved tells the others what has become of the barrier.
func (s *Self) moved(now time.Time) (do []Effect) {
	if said := s.announced(now); said != s.said {
		s.said = said
		for _, m := range s.others() {
			do = append(do, PingMember{To: m})
		}
	}
	if stable, _ := s.barrier.Stable(now); s.settled && stable != s.stable {
		s.stable = stable
		do = append(do, StableAt{Index: stable})
	}
	return do
}

func (s *Self) announced(now time.Time) uint64 {
	if !s.settled {
		return 0
	}
	return s.barrier.Announce(now)
}

// Released is the shell's word that it holds no grain that is not its own under
// the view with this index, and will activate none.
func (s *Self) Released(now time.Time, index uint64) []Effect {
	if s.fenced {
		return nil
	}
	s.barrier.LetGo(index)
	return s.moved(now)
}

// Ping is what to say to a member.
func (s *Self) Ping(now time.Time) *messages.Ping {
	return &messages.Ping{
		From: s.id, View: s.view.Index, Released: s.announced(now), TableUnreachable: s.lease.failing,
		ConfirmedAgeMs: millis(s.lease.Age(now)), Leaving: s.leaving(), Settled: s.settled,
	}
}

// Pinged takes a ping and says what to answer.
func (s *Self) Pinged(now time.Time, p *messages.Ping) (*messages.Pong, []Effect) {
	s.learn(now, p.From, p.View, p.Released)
	s.detector.Called(now, p.From)
	s.ack(p.From, p.View, p.Settled)
	_, tried := s.tried[p.From]
	var do []Effect
	if !s.fenced {
		do = s.moved(now)
	}
	return &messages.Pong{
		From: s.id, View: s.view.Index, Released: s.announced(now), TableUnreachable: s.lease.failing,
		ConfirmedAgeMs: millis(s.lease.Age(now)), Fenced: s.fenced, Leaving: s.leaving(),
		Known: s.latest(), Vouches: !s.fenced && !tried && s.view.Has(p.From), Settled: s.settled,
	}, do
}

// Ponged takes a pong to a ping that was sent then.
func (s *Self) Ponged(now time.Time, to string, sent time.Time, p *messages.Pong) []Effect {
	if s.fenced || p.From != to || p.Fenced {
		return nil
	}
	age := time.Duration(p.ConfirmedAgeMs) * time.Millisecond
	s.detector.Ponged(now, to, age)
	s.learn(now, to, max(p.View, p.Known), p.Released)
	if p.Vouches && sent.After(s.vouched[to]) && s.view.Has(to) {
		s.vouched[to] = sent
	}
	s.ack(to, p.Known, p.Settled)
	return s.moved(now)
}

// ack notes who is settled and knows of an index from which this one is a member.
func (s *Self) ack(from string, index uint64, settled bool) {
	if settled && index >= s.joined && !s.settled && !s.fenced {
		s.acked[from] = true
		s.settle()
	}
}

func (s *Self) learn(now time.Time, from string, index, released uint64) {
	if _, old := s.known[from]; !old && len(s.known) >= maxStrangers {
		return
	}
	if s.known[from].index <= index {
		s.known[from] = word{index, now}
	}
	if !s.fenced {
		s.barrier.Heard(from, released)
	}
}

// latest is the highest index that anybody is known to know.
func (s *Self) latest() uint64 {
	top := s.view.Index
	for _, w := range s.known {
		top = max(top, w.index)
	}
	return top
}

// Missed takes a ping that got no pong; refused: nobody listens there.
func (s *Self) Missed(to string, refused bool) { s.detector.Missed(to, refused) }

// Asked takes what a helper said about a suspect, or false if it said nothing.
func (s *Self) Asked(now time.Time, about string, lives bool) { s.detector.Asked(now, about, lives) }

// Evicted takes the outcome of an eviction. Unless it is certain that nothing
// was done this member never again vouches for that one.
func (s *Self) Evicted(id string, certainlyNot bool) {
	if certainlyNot {
		delete(s.tried, id)
	}
}

// Confirmed takes the table's answer to "am I a member", asked then.
func (s *Self) Confirmed(now, sent time.Time, member bool) []Effect {
	if s.fenced {
		return nil
	}
	if !member {
		return s.fence("the table says that this member is not registered")
	}
	s.lease.Confirmed(now, sent)
	return nil
}

// ConfirmFailed says that the table gave no answer.
func (s *Self) ConfirmFailed() { s.lease.Failed() }

// Leased reports whether reads may be served now.
func (s *Self) Leased(now time.Time) bool {
	return !s.fenced && s.settled && now.Before(s.LeasedUntil(now))
}

// LeasedUntil is when reads must end as far as is known now.
func (s *Self) LeasedUntil(now time.Time) time.Time {
	words := s.words[:0]
	for i := range s.view.Members {
		if id := s.view.Members[i].ID; id != s.id {
			words = append(words, s.vouched[id])
		}
	}
	s.words = words
	return s.lease.Until(s.latest() <= s.view.Index, words)
}

// May reports whether this member may activate a grain now.
func (s *Self) May(ref actors.Ref) bool { return !s.fenced && s.settled && s.barrier.May(ref) }

// Stable is the index of the newest view known to be stable.
func (s *Self) Stable() uint64 { return s.stable }

// View is the present one.
func (s *Self) View() *View { return s.view }

// Settled reports whether this member counts; see settle.
func (s *Self) Settled() bool { return s.settled }

// TableFailing reports whether the table gave no answer to the last question.
func (s *Self) TableFailing() bool { return s.lease.failing }

func (s *Self) leaving() bool {
	m, _ := s.view.ByID(s.id)
	return m.Leaving
}

func millis(d time.Duration) int64 {
	if d < 0 {
		return -1
	}
	return d.Milliseconds()
}
