package view_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

var start = time.Unix(1_000_000, 0)

func ms(n int) time.Time { return start.Add(time.Duration(n) * time.Millisecond) }

// views makes one view per list of names; a name with "-" leaves.
func views(lists ...[]string) (all []*view.View) {
	for i, names := range lists {
		var members []view.Member
		for _, name := range names {
			m := view.Member{ID: name, Name: name, Roles: view.AllRoles, Epoch: 1}
			if name[len(name)-1] == '-' {
				m.ID, m.Name, m.Leaving = name[:len(name)-1], name[:len(name)-1], true
			}
			members = append(members, m)
		}
		all = append(all, view.New(uint64(10*(i+1)), members))
	}
	return all
}

// ownedBy is a grain with these owners under these views.
func ownedBy(t *testing.T, all []*view.View, owners ...string) actors.Ref {
	t.Helper()
	for i := range 100_000 {
		ref := actors.Ref{Kind: "instance", ID: fmt.Sprint(i)}
		if !slices.ContainsFunc(all, func(v *view.View) bool {
			m, _ := v.Owner(ref)
			return m.ID != owners[slices.Index(all, v)]
		}) {
			return ref
		}
	}
	t.Fatal("no such grain")
	return actors.Ref{}
}

const grace = 1400

func TestBarrier(t *testing.T) {
	join := views([]string{"a", "b"}, []string{"a", "b", "c"}, []string{"a", "b"})
	stays := ownedBy(t, join, "a", "a", "a")
	returns := ownedBy(t, join, "a", "c", "a")
	leaves := views([]string{"a", "b"}, []string{"a", "b-"}, []string{"a"})
	inherits := ownedBy(t, leaves, "b", "a", "a")
	dies := views([]string{"a", "b"}, []string{"a"})

	type do func(*view.Barrier)
	see := func(at int, v *view.View) do { return func(b *view.Barrier) { b.Seen(ms(at), v) } }
	let := func(v *view.View) do { return func(b *view.Barrier) { b.LetGo(v.Index) } }
	hear := func(id string, v *view.View) do { return func(b *view.Barrier) { b.Heard(id, v.Index) } }
	// together is both at the first view; each test goes on from there.
	together := []do{see(0, join[0]), let(join[0]), hear("b", join[0])}

	for name, tt := range map[string]struct {
		steps  []do
		at     int
		stable bool
		may    map[actors.Ref]bool
	}{
		"together":                     {nil, 1, true, map[actors.Ref]bool{stays: true, returns: true}},
		"c joins: not yet released":    {[]do{see(5, join[1])}, 9, false, map[actors.Ref]bool{stays: true, returns: false}},
		"c joins: b is missing":        {[]do{see(5, join[1]), let(join[1]), hear("c", join[1])}, 9, false, map[actors.Ref]bool{stays: true}},
		"c joins: all have released":   {[]do{see(5, join[1]), let(join[1]), hear("c", join[1]), hear("b", join[1])}, 9, true, map[actors.Ref]bool{stays: true, returns: false}},
		"b is later, and skipped this": {[]do{see(5, join[1]), let(join[1]), hear("c", join[1]), hear("b", join[2])}, 9, false, map[actors.Ref]bool{stays: true}},
		"an old word is no word":       {[]do{see(5, join[1]), let(join[0]), hear("c", join[1]), hear("b", join[1])}, 9, false, nil},
		"c came and went, was mine":    {[]do{see(5, join[1]), see(6, join[2]), let(join[2]), hear("b", join[2])}, grace, false, map[actors.Ref]bool{stays: true, returns: false}},
		"c is gone for long enough":    {[]do{see(5, join[1]), see(6, join[2]), let(join[2]), hear("b", join[2])}, grace + 6, true, map[actors.Ref]bool{returns: true}},
		"c came and went unseen":       {[]do{see(5, join[2]), let(join[2]), hear("b", join[2])}, 9, true, map[actors.Ref]bool{returns: true}},
		"b leaves: still has things":   {[]do{see(5, leaves[1]), let(leaves[1])}, grace + 9, false, map[actors.Ref]bool{inherits: false}},
		"b leaves: has let go":         {[]do{see(5, leaves[1]), let(leaves[1]), hear("b", leaves[1])}, 9, true, map[actors.Ref]bool{inherits: true}},
		"b left in order": {[]do{see(5, leaves[1]), let(leaves[1]), hear("b", leaves[1]),
			see(6, leaves[2]), let(leaves[2])}, 9, true, map[actors.Ref]bool{inherits: true}},
		"b left without a word":  {[]do{see(5, leaves[1]), let(leaves[1]), see(6, leaves[2]), let(leaves[2])}, grace, false, map[actors.Ref]bool{inherits: false}},
		"b died":                 {[]do{see(5, dies[1]), let(dies[1])}, grace, false, nil},
		"b died long enough ago": {[]do{see(5, dies[1]), let(dies[1])}, grace + 5, true, nil},
	} {
		b := view.NewBarrier("a", grace*time.Millisecond)
		for _, step := range together {
			step(b)
		}
		if _, ok := b.Stable(ms(1)); !ok {
			t.Fatal("a and b are not together")
		}
		for _, step := range tt.steps {
			step(b)
		}
		if _, stable := b.Stable(ms(tt.at)); stable != tt.stable {
			t.Errorf("%s: stable is %v", name, stable)
		}
		for ref, may := range tt.may {
			if b.May(ref) != may {
				t.Errorf("%s: may activate %v: %v", name, ref, !may)
			}
		}
	}

	alone := view.NewBarrier("a", grace*time.Millisecond)
	alone.Seen(ms(0), dies[1])
	alone.LetGo(dies[1].Index)
	if _, ok := alone.Stable(ms(grace - 1)); ok || alone.May(stays) {
		t.Error("who is alone from the start does not wait for those it cannot know of")
	}
	if _, ok := alone.Stable(ms(grace)); !ok || !alone.May(stays) {
		t.Error("who is alone waits for ever")
	}
	for i := range 200 { // a table that never stands still
		alone.Seen(ms(grace+i), view.New(uint64(1000+i), dies[1].Members))
	}
	if alone.May(stays) {
		t.Error("a history that was cut is trusted")
	}
}

func TestLease(t *testing.T) {
	timings := view.DefaultTimings()
	l := view.NewLease(timings)
	if !l.Until(true, nil).IsZero() || l.Age(start) != -1 {
		t.Error("a lease before the first confirmation")
	}
	l.Confirmed(ms(50), ms(10))
	l.Confirmed(ms(60), ms(5)) // answers overtake each other
	lease, alone, longest := 1200, 9000, 60_000
	for name, tt := range map[string]struct {
		trusted bool
		vouched []time.Time
		want    time.Time
	}{
		"confirmed only":           {false, []time.Time{ms(5000)}, ms(10 + lease)},
		"all have vouched":         {true, []time.Time{ms(5000), ms(4000)}, ms(4000 + lease)},
		"one has not":              {true, []time.Time{ms(5000), {}}, ms(10 + lease)},
		"words older than the yes": {true, []time.Time{ms(1), ms(2)}, ms(10 + lease)},
		"alone":                    {true, nil, ms(10 + alone)},
		"for ever":                 {true, []time.Time{ms(99_000)}, ms(10 + longest)},
	} {
		if got := l.Until(tt.trusted, tt.vouched); !got.Equal(tt.want) {
			t.Errorf("%s: until %v, want %v", name, got.Sub(start), tt.want.Sub(start))
		}
	}
	if l.Reaches(ms(900), time.Second) || !l.Reaches(ms(1100), time.Second) {
		t.Error("Reaches counts wrongly")
	}
	l.Failed()
	if l.Reaches(ms(1100), time.Second) {
		t.Error("a table that fails is reached")
	}
	l.Confirmed(ms(1200), ms(1150))
	if l.Reaches(ms(1300), time.Second) || !l.Reaches(ms(2250), time.Second) {
		t.Error("the row of answers does not begin anew")
	}
}

func TestDetector(t *testing.T) {
	v := views([]string{"a", "b", "c", "d"})[0]
	watch := v.Successors("a", 3)
	names := func(members []view.Member) (names string) {
		for _, m := range members {
			names += m.Name
		}
		return names
	}
	type world = *view.Detector
	for name, tt := range map[string]struct {
		do    func(world)
		at    int // when Suspect was asked before, and Condemned now
		asks  int // how many helpers are asked when the suspicion begins, at 1300
		dead  string
		extra func(world)
	}{
		"silence is suspected, three are asked": {do: func(d world) { pong(d, 1200, "c", "d") }, at: 1300, asks: 2},
		"nobody is silent":                      {do: func(d world) { pong(d, 1200, "b", "c", "d") }, at: 5000},
		"helpers cannot reach it either": {do: func(d world) { pong(d, 1200, "c", "d") }, asks: 2, at: 1310, dead: "b",
			extra: func(d world) { deny(d, "b", 2) }},
		"it calls, but most cannot reach it": {do: func(d world) { pong(d, 1200, "c", "d") }, asks: 2, at: 1310, dead: "b",
			extra: func(d world) { deny(d, "b", 2); d.Called(ms(1305), "b") }},
		"one helper has not said yet": {do: func(d world) { pong(d, 1200, "c", "d") }, asks: 2, at: 1310,
			extra: func(d world) { deny(d, "b", 1) }},
		"helpers are silent too": {do: func(d world) { pong(d, 1200, "c", "d") }, asks: 2, at: 1700, dead: "b",
			extra: func(d world) { pong(d, 1690, "c", "d") }},
		"a helper reaches it": {do: func(d world) { pong(d, 1200, "c", "d") }, asks: 2, at: 1700,
			extra: func(d world) { d.Asked(ms(1310), "b", true) }},
		"half, with the first name": {do: func(d world) { pong(d, 1290, "b") }, asks: 2, at: 1310, dead: "cd",
			extra: func(d world) { deny(d, "c", 2); deny(d, "d", 2) }},
		"less than half waits":        {do: func(world) {}, asks: 3, at: 3000, extra: func(world) {}},
		"less than half, in the end":  {do: func(world) {}, at: 1300 + 1750, dead: "bcd"},
		"less than half, and mute":    {do: func(world) {}, asks: 3, at: 9000, extra: func(d world) { d.Called(ms(8900), "c") }},
		"refused twice, at once":      {do: func(d world) { pong(d, 900, "b", "c", "d"); d.Missed("b", true); d.Missed("b", true) }, asks: 2, at: 1301, dead: "b", extra: func(d world) { deny(d, "b", 2) }},
		"refused once":                {do: func(d world) { pong(d, 900, "b", "c", "d"); d.Missed("b", true); d.Missed("b", false) }, at: 1301},
		"refused, then answered":      {do: func(d world) { d.Missed("b", true); d.Missed("b", true); pong(d, 1200, "b", "c", "d") }, at: 1301},
		"a pong ends a suspicion":     {do: func(d world) { pong(d, 1200, "c", "d") }, asks: 2, at: 1700, extra: func(d world) { pong(d, 1600, "b", "c", "d") }},
		"strangers change nothing":    {do: func(d world) { pong(d, 1200, "b", "c", "d", "z"); d.Missed("z", true); d.Asked(ms(9), "z", true) }, at: 1301},
		"this process itself paused":  {do: func(d world) { d.Awake(ms(50)); d.Awake(ms(1290)) }, at: 1301},
		"a gap that is only the tick": {do: func(d world) { d.Awake(ms(1200)); d.Awake(ms(1250)); pong(d, 1260, "c", "d") }, asks: 2, at: 1700, dead: "b", extra: func(d world) { pong(d, 1690, "c", "d") }},
	} {
		d := view.NewDetector("a", view.DefaultTimings())
		d.Seen(ms(0), v)
		tt.do(d)
		if asks := d.Suspect(ms(1300), watch); len(asks) < tt.asks || tt.asks == 0 && tt.dead == "" && len(asks) > 0 {
			t.Errorf("%s: %d are asked", name, len(asks))
		}
		if tt.extra != nil {
			tt.extra(d)
		}
		if got := names(d.Condemned(ms(tt.at), "a")); got != tt.dead {
			t.Errorf("%s: condemned are %q, want %q", name, got, tt.dead)
		}
	}

	// Half of the members without the first name give the others time.
	d := view.NewDetector("c", view.DefaultTimings())
	d.Seen(ms(0), v)
	pong(d, 1290, "d")
	d.Suspect(ms(1300), v.Successors("c", 3))
	if dead := d.Condemned(ms(1750), "c"); len(dead) > 0 {
		t.Errorf("half of the members evict %v at once", names(dead))
	}
	pong(d, 2200, "d")
	if dead := d.Condemned(ms(2300), "c"); names(dead) != "ab" {
		t.Errorf("half of the members never evict: %q", names(dead))
	}

	cut := view.NewDetector("a", view.DefaultTimings())
	cut.Seen(ms(0), v)
	cut.Ponged(ms(100), "b", 3*time.Second)
	cut.Ponged(ms(100), "c", 2*time.Second)
	cut.Ponged(ms(100), "d", -1)
	if got := names(cut.Cut(ms(200), watch)); got != "b" {
		t.Errorf("cut from the table: %q, want b", got)
	}
	if got := names(cut.Cut(ms(9000), watch)); got != "" {
		t.Errorf("an old word counts: %q", got)
	}
}

func pong(d *view.Detector, at int, ids ...string) {
	for _, id := range ids {
		d.Ponged(ms(at), id, 0)
	}
}

func deny(d *view.Detector, about string, times int) {
	for range times {
		d.Asked(ms(1305), about, false)
	}
}

// TestStrangerIsHeldBack: who has just registered evicts nobody, reads nothing and
// activates nothing before somebody who was there before knows of it.
func TestStrangerIsHeldBack(t *testing.T) {
	members := slices.Clone(views([]string{"a", "b", "c", "d"})[0].Members)
	for i := range members {
		members[i].Epoch = uint64(i + 1)
	}
	v := view.New(10, members)
	s, _ := view.NewSelf(ms(0), ms(0), "c", v, view.DefaultTimings())
	evicts := 0
	for at := 0; at <= 10_000; at += 50 {
		s.Confirmed(ms(at), ms(at), true)
		for _, e := range s.Tick(ms(at)) {
			if _, ok := e.(view.EvictMember); ok {
				evicts++
			}
		}
	}
	if evicts > 0 || s.Settled() || s.Leased(ms(10_000)) {
		t.Errorf("nobody knows of it: %d evictions, settled %v", evicts, s.Settled())
	}
	for name, tt := range map[string]struct {
		from    string
		known   uint64
		settled bool
		want    bool
	}{
		"who does not know of it":            {"a", v.Index - 1, true, false},
		"who is not settled":                 {"a", v.Index, false, false},
		"who came later":                     {"d", v.Index, true, false},
		"who was there before, and is known": {"b", v.Index, true, true},
	} {
		s, _ := view.NewSelf(ms(0), ms(0), "c", v, view.DefaultTimings())
		s.Ponged(ms(10), tt.from, ms(9), &messages.Pong{From: tt.from, Known: tt.known, Settled: tt.settled})
		if s.Settled() != tt.want || s.Leased(ms(10)) != tt.want {
			t.Errorf("settled by %s: %v", name, s.Settled())
		}
		s, _ = view.NewSelf(ms(0), ms(0), "c", v, view.DefaultTimings())
		s.Pinged(ms(10), &messages.Ping{From: tt.from, View: tt.known, Settled: tt.settled})
		if s.Settled() != tt.want {
			t.Errorf("settled by a ping of %s: %v", name, s.Settled())
		}
	}
	if first, _ := view.NewSelf(ms(0), ms(0), "a", v, view.DefaultTimings()); !first.Settled() {
		t.Error("who was first waits for those who came later")
	}
	s.Seen(ms(10_000), view.New(11, members[2:]))
	if !s.Settled() {
		t.Error("all who were there before are gone, and it waits for them")
	}
}

// TestVouching: nobody vouches for one whom it has tried to evict, unless that
// certainly failed, nor for one whom it does not know.
func TestVouching(t *testing.T) {
	v := views([]string{"a", "b", "c"})[0]
	s, _ := view.NewSelf(ms(0), ms(0), "a", v, view.DefaultTimings())
	vouches := func(id string) bool {
		pong, _ := s.Pinged(ms(2000), &messages.Ping{From: id, View: v.Index})
		return pong.Vouches
	}
	for _, id := range []string{"b", "c"} {
		s.Ponged(ms(10), id, ms(5), &messages.Pong{From: id, Known: v.Index})
	}
	if !vouches("b") || !vouches("c") || vouches("stranger") {
		t.Error("at first")
	}
	for at := 50; at < 2000; at += 50 {
		s.Ponged(ms(at), "c", ms(at), &messages.Pong{From: "c", Known: v.Index})
		for _, e := range s.Tick(ms(at)) {
			if ask, ok := e.(view.AskAbout); ok {
				s.Asked(ms(at), ask.About.ID, false)
			}
		}
	}
	if vouches("b") || !vouches("c") {
		t.Error("b has been tried, c has not")
	}
	s.Evicted("b", false)
	if vouches("b") {
		t.Error("the outcome is not known")
	}
	s.Evicted("b", true)
	if !vouches("b") {
		t.Error("nothing was done to b")
	}
}

// TestAnotherTable: a table whose index is older than ours, with other members,
// was restored from a copy.
func TestAnotherTable(t *testing.T) {
	v := views([]string{"a", "b"}, []string{"a", "b", "c"})
	fenced := func(do []view.Effect) bool {
		return slices.ContainsFunc(do, func(e view.Effect) bool { _, ok := e.(view.Fence); return ok })
	}
	s, _ := view.NewSelf(ms(0), ms(0), "a", v[1], view.DefaultTimings())
	if fenced(s.Seen(ms(10), v[0])) || fenced(s.Read(ms(10), ms(-5), v[0])) {
		t.Error("an answer that was overtaken fences")
	}
	if fenced(s.Read(ms(30), ms(20), view.New(15, v[1].Members))) {
		t.Error("an older index of the same members fences")
	}
	if !fenced(s.Read(ms(30), ms(20), v[0])) || s.Leased(ms(30)) {
		t.Error("another table does not fence")
	}
	if s.Tick(ms(100)) != nil || s.Confirmed(ms(100), ms(99), true) != nil || s.Released(ms(100), 20) != nil {
		t.Error("who is fenced goes on")
	}
}
