package host

import (
	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// down: the hypervisor is lost, or an operator has declared it down. It stands in what
// is committed, so that who hears of it hears of a fact.
func (s State) down() bool {
	return s.card().GetLostAt() != 0 || s.card().GetForcedDown()
}

// follow has an instance hear whenever the host goes down or comes back, beginning
// with how it is now.
func follow(s State, m *messages.FollowHost) (State, []actors.Effect, error) {
	c, ok := s.Claims.Get(m.InstanceId)
	switch {
	case !ok || c.Stray:
		return s, nil, nil
	case c.Follow && c.Working:
		return s, nil, nil // the order's end says so
	case c.Follow:
		return s, []actors.Effect{fact(s, m.InstanceId, c)}, nil
	}
	c.Follow = true
	if c.hears() {
		c.Seq, c.Untold = c.Seq+1, true
	}
	s = s.with(m.InstanceId, c)
	if !c.hears() {
		return s, nil, nil
	}
	return s, []actors.Effect{fact(s, m.InstanceId, c)}, nil
}

// hears: nothing is under way or given away, after which the instance would hear
// anyway or wants to hear no more.
func (c Claim) hears() bool {
	return !c.Working && !c.Stray && c.Kind != messages.OrderKind_ORDER_KIND_YIELD && !ends(c.Kind)
}

// tellFollowers tells instances that the host is down or is back, if it was not so
// before. They are told until they have taken it, as of any fact.
func (s State) tellFollowers(was bool) (State, []actors.Effect) {
	if s.down() == was || s.Followers == 0 {
		return s, nil
	}
	var effects []actors.Effect
	for id, c := range s.Claims.All() {
		if c.Follow && c.hears() {
			c.Seq, c.Untold = c.Seq+1, true
			s = s.with(id, c)
			effects = append(effects, fact(s, id, c))
		}
	}
	return s, effects
}
