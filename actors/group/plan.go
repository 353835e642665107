package group

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// plan decides what follows from the state at that time. It is the same after every
// message; what is as it should be stays.
func plan(s State, now time.Time) State {
	if !s.exists() {
		return s
	}
	if s.Deleting {
		return s.end(now)
	}
	for _, m := range s.members() {
		s = s.judge(m, now)
	}
	s = s.shrink(now)
	if s.rolling() {
		s = s.replaceOld(now)
	}
	s = s.grow(now)
	return s.arrived(now).forget()
}

// end removes all members, and then the group.
func (s State) end(now time.Time) State {
	for _, m := range s.members() {
		if m.Phase != Leaving {
			s = s.leave(m, now, "the group is deleted", false)
		}
	}
	if s.Members.Len() > 0 {
		return s.forget()
	}
	gone := State{ID: s.ID, ProjectID: s.ProjectID, Gone: true, Members: s.Members, Templates: s.Templates}
	for key := range s.Templates.All() {
		gone.Templates = gone.Templates.Delete(key)
	}
	return gone
}

func (s State) rolling() bool { return s.Roll != nil && s.Roll.Stopped == "" }

// building is the revision of which new members are made: while a roll has stopped,
// the last one that is known to work.
func (s State) building() int64 {
	if s.Roll != nil && s.Roll.Stopped != "" && s.Good != 0 {
		return s.Good
	}
	return s.Target
}

// judge says what phase a member is in by what was last heard of it.
func (s State) judge(n named, now time.Time) State {
	m := n.Member
	longer := func(since int64, than time.Duration) bool { return now.Sub(time.Unix(0, since)) > than }
	if m.Phase == Leaving {
		if m.DownSince != 0 && !m.Lost && longer(m.DownSince, s.Policy.HostGrace) { // nobody waits for its delete
			m.Lost, m.Why = true, m.Why+"; host "+m.Host+" is down"
			s.Members = s.Members.Set(n.id, m)
		}
		return s
	}
	why, fatal := m.ill()
	switch {
	case m.Confirmed && m.Task == deleting:
		return s.leave(n, now, "somebody deletes it", true)
	case why == "":
		if m.Phase != InUse {
			s.Failures, s.RetryAt, s.Reason = 0, 0, ""
		}
		m = m.in(InUse, now)
		m.Used, m.Why = true, ""
	case m.Confirmed && m.DownSince != 0 && longer(m.DownSince, s.Policy.HostGrace):
		return s.leave(n, now, why, true)
	case !m.Used && (fatal || longer(m.Since, s.Policy.Start)):
		return s.leave(n, now, why, true).failed(now, m, "did not come into use: "+why)
	case fatal || m.Phase == Sick && m.DownSince == 0 && longer(m.Since, s.Policy.Unhealthy):
		return s.leave(n, now, why, true)
	case m.Used:
		m = m.in(Sick, now)
		m.Why = why
	default:
		m.Why = why
	}
	if was, _ := s.Members.Get(n.id); !was.same(m) {
		s.Members = s.Members.Set(n.id, m)
	}
	return s
}

func (m Member) same(o Member) bool { return m.Phase == o.Phase && m.Used == o.Used && m.Why == o.Why }

// leave has a member go. Lost: not by choice.
func (s State) leave(n named, now time.Time, why string, lost bool) State {
	m := n.Member.in(Leaving, now)
	m.Why, m.Lost = why, lost
	s.Members = s.Members.Set(n.id, m)
	if s.Deleting {
		return s
	}
	return s.decided(now, "%s (revision %d) goes: %s", m.Name, m.Revision, why)
}

// count is how many members there are of which sort.
type count struct{ alive, fresh, healthy, making, going, stranded int }

// fresh are alive and of the revision that is being built; going leave by choice;
// stranded cannot leave.
func (s State) count() count {
	var c count
	for _, m := range s.Members.All() {
		if m.Phase == Leaving {
			if !m.Lost {
				c.going++
			}
			if m.stranded() {
				c.stranded++
			}
			continue
		}
		c.alive++
		if m.Revision == s.building() {
			c.fresh++
		}
		switch m.Phase {
		case InUse:
			c.healthy++
		case Creating, Starting:
			c.making++
		}
	}
	return c
}

// dispensable are the members that are alive, who can best be spared first: those
// not in use, those of another revision than is being built, the newest.
func (s State) dispensable() []named {
	all := slices.DeleteFunc(s.members(), func(m named) bool { return m.Phase == Leaving })
	slices.SortStableFunc(all, func(a, b named) int {
		return cmp.Or(before(a.Phase != InUse, b.Phase != InUse),
			before(a.Revision != s.building(), b.Revision != s.building()), cmp.Compare(b.Serial, a.Serial))
	})
	return all
}

func before(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// shrink lets those go who are too many. A roll may have some more for a time.
func (s State) shrink(now time.Time) State {
	limit := int(s.Desired)
	if s.rolling() {
		limit += int(s.Policy.MaxSurge)
	}
	for _, m := range s.dispensable() {
		c := s.count()
		if c.alive <= limit {
			return s
		}
		if m.Phase == InUse && c.healthy <= int(s.Policy.MinHealthy) {
			return s
		}
		s = s.leave(m, now, "more than the desired "+strconv.Itoa(int(s.Desired)), false)
	}
	return s
}

// replaceOld lets members of other revisions go, as many at a time as the policy
// allows, and never so that too few are left in use.
func (s State) replaceOld(now time.Time) State {
	floor := max(s.Policy.MinHealthy, s.Desired-s.Policy.MaxUnavailable)
	atOnce := max(s.Policy.MaxUnavailable, s.Policy.MaxSurge)
	for _, m := range s.dispensable() {
		c := s.count()
		switch {
		case m.Revision == s.Target:
		case m.Phase == InUse && c.healthy <= int(floor):
		case m.Used && (c.going >= int(atOnce) || c.healthy < int(floor)): // it may get well
		default:
			s = s.leave(m, now, "a roll to revision "+strconv.FormatInt(s.Target, 10), false)
		}
	}
	return s
}

// grow makes members where some are missing. Those that leave by choice count until
// they are gone. After a failure one is tried at a time.
func (s State) grow(now time.Time) State {
	for {
		c := s.count()
		missing := c.alive < int(s.Desired) || s.rolling() && c.fresh < int(s.Desired)
		if !missing || c.alive+c.going >= int(s.Desired+s.Policy.MaxSurge) {
			return s
		}
		if s.Failures > 0 && (c.making > 0 || now.UnixNano() < s.RetryAt) {
			return s
		}
		s = s.add(s.building(), now)
	}
}

// arrived ends a roll, or the first building up, once all are in use. That of nobody
// shows nothing: a group that is to have no members goes on when it is to have some.
func (s State) arrived(now time.Time) State {
	c := s.count()
	if s.Desired == 0 {
		return s
	}
	if s.Roll != nil && s.Roll.Stopped != "" || c.going > 0 || c.fresh != c.alive || c.healthy != int(s.Desired) || c.alive != c.healthy {
		return s
	}
	if s.Good != s.Target {
		s.Previous, s.Good = s.Good, s.Target
		s = s.decided(now, "all %d members are in use with revision %d", s.Desired, s.Target)
	} else if s.Roll != nil {
		s = s.decided(now, "all %d members are back at revision %d", s.Desired, s.Target)
	}
	s.Roll = nil
	return s
}

// forget drops the revisions that nobody can need any more.
func (s State) forget() State {
	needed := map[string]bool{revisionKey(s.Target): true, revisionKey(s.Good): true, revisionKey(s.Previous): true}
	for _, m := range s.Members.All() {
		needed[revisionKey(m.Revision)] = true
	}
	for key := range s.Templates.All() {
		if !needed[key] {
			s.Templates = s.Templates.Delete(key)
		}
	}
	return s
}
