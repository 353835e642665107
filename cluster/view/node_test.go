package view_test

import (
	"fmt"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/view"
)

// node is a process in the world, with the shell that package membership and the
// grains' shell are in earnest.
type node struct {
	world  *world
	number int
	name   string
	offset time.Duration // of its clock
	rate   float64       // of its clock, about 1

	running  bool // else its machine refuses connections; see silent
	silent   bool // its machine is off
	paused   bool
	later    []func() // what arrived while it was paused
	life     int      // counts starts
	self     *view.Self
	id       string
	leaving  bool
	watching bool
	confirm  time.Time
	renew    time.Time

	held   []bool // grains that live here
	doomed []bool // grains that must go before released is said
	fenced int
	era    int // of the table in which it registered
}

func newNode(w *world, i int) *node {
	return &node{
		world: w, number: i, name: fmt.Sprintf("n%d", i+1),
		offset: w.between(0, 1000*time.Hour), rate: 1 + (w.random.Float64()-0.5)/100,
		held: make([]bool, w.grains), doomed: make([]bool, w.grains),
	}
}

func (n *node) clock() time.Time {
	return time.Unix(0, 0).Add(n.offset + time.Duration(float64(n.world.now)*n.rate))
}

func grain(i int) actors.Ref { return actors.Ref{Kind: "instance", ID: fmt.Sprint(i)} }

// here wraps something that happens in this life of the process: it does not
// happen after its death, and while it is paused it waits.
func (n *node) here(do func()) func() {
	life := n.life
	var run func()
	run = func() {
		switch {
		case n.life != life:
		case n.paused:
			n.later = append(n.later, run)
		default:
			do()
		}
	}
	return run
}

func (n *node) start() {
	n.life++
	n.running, n.silent, n.leaving, n.self = true, false, false, nil
	n.join()
	n.loop()
}

// kill ends the process at once.
func (n *node) kill(machineToo bool) {
	n.world.say("kill %s (machine too: %v)", n.name, machineToo)
	n.life++
	n.running, n.silent, n.self, n.paused, n.later = false, machineToo, nil, false, nil
	clear(n.held)
	clear(n.doomed)
}

func (n *node) pause(d time.Duration) {
	n.world.say("pause %s for %v", n.name, d)
	life := n.life
	n.paused = true
	n.world.after(d, func() {
		if n.life != life {
			return
		}
		n.world.say("%s wakes", n.name)
		n.paused = false
		later := n.later
		n.later = nil
		for _, do := range later {
			do()
		}
	})
}

// table asks the member table; the reply comes in this life or never.
func (n *node) table(do func(), reply func(ok bool)) {
	var ok bool
	arrived := n.here(func() { reply(ok) })
	n.world.table.ask(n.number, do, func(answered bool) {
		ok = answered
		arrived()
	})
}

// join is what Membership does: remove a dead record of this name, reach a
// majority, register.
func (n *node) join() {
	t := &n.world.table
	again := func() { n.world.after(n.world.between(100*time.Millisecond, 400*time.Millisecond), n.here(n.join)) }
	var seen *view.View
	n.table(func() {
		if r := t.records[n.name]; r != nil {
			t.remove(n.name)
		}
		seen = t.view()
	}, func(ok bool) {
		if !ok || seen == nil {
			again()
			return
		}
		n.reachMajority(seen, func(reached bool) {
			if !reached {
				again()
				return
			}
			n.register(again)
		})
	})
}

func (n *node) reachMajority(v *view.View, then func(bool)) {
	reached, counted := 0, len(v.Members)
	n.world.after(300*time.Millisecond, n.here(func() { then(2*reached > counted || counted == 0) }))
	for _, m := range v.Members {
		other := n.world.byName(m.Name)
		refuse := func() { counted-- }
		n.world.ping(n, other, func(bool) {}, func() { n.world.send(other.number, n.number, func() { reached++ }, nil) }, refuse)
	}
}

func (n *node) register(again func()) {
	t := &n.world.table
	n.fenced++
	id := fmt.Sprintf("%s.%d.%d", n.name, n.life, n.fenced)
	sent := n.clock()
	var joined *view.View
	era := 0
	n.table(func() {
		era = t.era
		if t.records[n.name] == nil {
			t.change(func() {
				t.records[n.name] = &record{node: n.number, renewed: n.world.now, member: view.Member{
					ID: id, Name: n.name, Address: n.name, Roles: view.AllRoles, Epoch: t.index + 1,
				}}
			})
			joined = t.view()
		}
	}, func(ok bool) {
		if !ok || joined == nil {
			again()
			return
		}
		n.world.say("%s joined at %d with %d", id, joined.Index, len(joined.Members))
		n.id, n.watching, n.leaving, n.era = id, false, false, era
		var do []view.Effect
		n.self, do = view.NewSelf(n.clock(), sent, id, joined, n.world.timings)
		n.confirm, n.renew = n.clock(), n.clock()
		n.perform(do)
		n.viewed()
		n.watch()
	})
}

// loop is the process' ticker.
func (n *node) loop() {
	n.world.after(n.world.timings.Tick+n.world.between(0, 5*time.Millisecond), n.here(n.loop))
	if n.self == nil {
		return
	}
	self, now := n.self, n.clock()
	n.perform(self.Tick(now))
	if n.self != self {
		return
	}
	if now.Sub(n.confirm) >= n.world.timings.ConfirmEvery {
		n.confirm = now
		n.ask(func(sent time.Time, member bool) { n.perform(self.Confirmed(n.clock(), sent, member)) }, self.ConfirmFailed)
	}
	if now.Sub(n.renew) >= 2*time.Second {
		n.renew = now
		n.ask(func(time.Time, bool) {}, func() {})
	}
	n.activate()
}

// ask is both a confirmation and a renewal.
func (n *node) ask(answered func(sent time.Time, member bool), failed func()) {
	t, self, id := &n.world.table, n.self, n.id
	sent, member := n.clock(), false
	n.table(func() {
		r := t.records[n.name]
		if member = r != nil && r.member.ID == id; member {
			r.renewed = n.world.now
		}
	}, func(ok bool) {
		switch {
		case n.self != self:
		case ok:
			answered(sent, member)
		default:
			failed()
		}
	})
}

// watch brings the present table once the node can be reached.
func (n *node) watch() {
	if n.self == nil || n.watching {
		return
	}
	n.watching = true
	n.deliver()
}

func (n *node) deliver() {
	w, self := n.world, n.self
	w.after(w.delay()+w.between(0, w.table.slow), n.here(func() {
		switch {
		case n.self != self:
		case !w.table.up || w.table.cut[n.number]:
			w.after(w.between(300*time.Millisecond, time.Second), n.here(func() {
				if n.self == self {
					n.deliver()
				}
			}))
		default:
			n.watching = false
			if v := w.table.view(); v.Index > self.View().Index {
				n.see(v)
			}
		}
	}))
}

func (n *node) see(v *view.View) {
	self := n.self
	do := self.Seen(n.clock(), v)
	n.perform(do)
	if n.self == self && self.View() == v {
		n.viewed()
	}
}

// viewed is what the grains' shell does with a new view: what is not its own any
// more goes, in its own time, and only then the node says released.
func (n *node) viewed() {
	v := n.self.View()
	for g := range n.held {
		if n.held[g] && !v.Owns(n.id, grain(g)) {
			n.doomed[g] = true
		}
	}
	self := n.self
	n.world.after(n.world.between(0, 30*time.Millisecond), n.here(func() {
		if n.self != self {
			return
		}
		for g := range n.doomed {
			if n.doomed[g] {
				n.held[g], n.doomed[g] = false, false
			}
		}
		n.perform(self.Released(n.clock(), v.Index))
	}))
	if m, ok := v.ByName(n.name); ok && m.Leaving {
		n.leaving = true
	}
}

func (n *node) activate() {
	for g := range n.held {
		if !n.held[g] && n.self.May(grain(g)) {
			n.held[g] = true
			n.world.oneReader(n, g)
		}
	}
}

// mayHaveLease is called after anything that can prolong a lease.
func (n *node) mayHaveLease() {
	if n.self == nil || !n.self.Leased(n.clock()) {
		return
	}
	for _, o := range n.world.nodes {
		for g := range n.held {
			if o != n && o.era == n.era && n.held[g] && o.held[g] {
				n.world.oneReader(n, g)
			}
		}
	}
}

// oneReader is the promise: nobody else may serve reads of this grain now. Who
// registered in a table that was wiped since does not count: what it reads went
// with that table.
func (w *world) oneReader(n *node, g int) {
	for _, o := range w.nodes {
		if o != n && o.era == n.era && o.held[g] && o.serves(g) && n.serves(g) {
			w.breaks("grain %d is served by %s (view %d, stable %d) and by %s (view %d, stable %d)", g,
				n.id, n.self.View().Index, n.self.Stable(), o.id, o.self.View().Index, o.self.Stable())
		}
	}
}

func (n *node) serves(g int) bool {
	return n.self != nil && n.held[g] && n.self.Leased(n.clock())
}

func (n *node) perform(do []view.Effect) {
	w, self := n.world, n.self
	for _, e := range do {
		switch e := e.(type) {
		case view.PingMember:
			n.ping(e.To)
		case view.AskAbout:
			n.askAbout(e)
		case view.EvictMember:
			n.evict(e)
		case view.ReadTable:
			n.read()
		case view.Fence:
			w.say("%s fenced: %s", n.id, e.Reason)
			w.fences++
			n.self = nil
			clear(n.held)
			clear(n.doomed)
			w.after(w.between(0, 200*time.Millisecond), n.here(n.join))
		case view.StableAt:
			w.say("%s stable at %d", n.id, e.Index)
		}
	}
	if n.self == self && self != nil {
		n.mayHaveLease()
	}
}

func (n *node) read() {
	t, self, began := &n.world.table, n.self, n.clock()
	var v *view.View
	n.table(func() { v = t.view() }, func(ok bool) {
		if !ok || n.self != self {
			return
		}
		before := self.View()
		n.perform(self.Read(n.clock(), began, v))
		if n.self == self && self.View() != before {
			n.viewed()
		}
	})
}

// ping carries something to another process and tells what became of it.
func (w *world) ping(from, to *node, lost func(bool), arrive func(), refused func()) {
	w.send(from.number, to.number, func() {
		if !to.running {
			if !to.silent {
				w.send(to.number, from.number, refused, nil)
			}
			return
		}
		to.here(arrive)()
	}, nil)
}

func (n *node) ping(m view.Member) {
	w, self, other := n.world, n.self, n.world.byName(m.Name)
	sent, p, answered := n.clock(), n.self.Ping(n.clock()), false
	mine := func(do func()) func() {
		return n.here(func() {
			if n.self == self && !answered {
				answered = true
				do()
			}
		})
	}
	w.after(w.timings.SuspectAfter, mine(func() { self.Missed(m.ID, false) }))
	w.ping(n, other, nil, func() {
		if other.id != m.ID || other.self == nil {
			w.send(other.number, n.number, mine(func() { self.Missed(m.ID, false) }), nil)
			return
		}
		pong, do := other.self.Pinged(other.clock(), p)
		other.perform(do)
		w.send(other.number, n.number, mine(func() { n.perform(self.Ponged(n.clock(), m.ID, sent, pong)) }), nil)
	}, mine(func() { self.Missed(m.ID, true) }))
}

func (n *node) askAbout(a view.AskAbout) {
	w, self := n.world, n.self
	helper, about := w.byName(a.Helper.Name), w.byName(a.About.Name)
	w.say("%s asks %s about %s", n.id, a.Helper.ID, a.About.ID)
	answer := func(lives bool) {
		w.send(helper.number, n.number, n.here(func() {
			if n.self == self {
				self.Asked(n.clock(), a.About.ID, lives)
			}
		}), nil)
	}
	w.ping(n, helper, nil, func() {
		w.ping(helper, about, nil, func() {
			lives := about.self != nil && about.id == a.About.ID
			w.send(about.number, helper.number, helper.here(func() { answer(lives) }), nil)
		}, helper.here(func() { answer(false) }))
	}, func() { answer(false) })
}

func (n *node) evict(e view.EvictMember) {
	t, self, id := &n.world.table, n.self, n.id
	refused := false
	n.world.evicts++
	n.world.say("%s evicts %s: %s", id, e.Member.ID, e.Why)
	n.table(func() {
		mine, its := t.records[n.name], t.records[e.Member.Name]
		switch {
		case mine == nil || mine.member.ID != id:
			refused = true
		case its != nil && its.member.ID == e.Member.ID:
			t.remove(e.Member.Name)
		}
	}, func(ok bool) {
		if n.self == self && ok {
			self.Evicted(e.Member.ID, refused)
		}
	})
}

// leave marks the own record; the rest follows from stable views.
func (n *node) leave() {
	t, id := &n.world.table, n.id
	n.world.say("%s leaves", id)
	n.table(func() {
		if r := t.records[n.name]; r != nil && r.member.ID == id {
			t.change(func() { r.member.Leaving = true })
		}
	}, func(bool) {})
	n.awaitLeft()
}

func (n *node) awaitLeft() {
	t, id := &n.world.table, n.id
	if n.leaving && n.self != nil && n.self.Stable() == n.self.View().Index {
		n.table(func() {
			if r := t.records[n.name]; r != nil && r.member.ID == id {
				n.world.say("%s has left", n.id)
				t.remove(n.name)
			}
		}, func(bool) {})
		n.kill(false)
		return
	}
	n.world.after(20*time.Millisecond, n.here(n.awaitLeft))
}

func (w *world) byName(name string) *node {
	for _, n := range w.nodes {
		if n.name == name {
			return n
		}
	}
	panic("no node " + name)
}
