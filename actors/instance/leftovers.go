package instance

import (
	"slices"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// leave adds an order for a host that the instance has left, in place of an older.
func (s State) leave(l Leftover) State {
	s.Left = slices.DeleteFunc(slices.Clone(s.Left), func(o Leftover) bool { return o.Host == l.Host })
	s.Left = append(s.Left, l)
	return s
}

// owes: the host has not yet been heard to have taken this order, or a newer one.
func (s State) owes(host string, order uint64) bool {
	return slices.ContainsFunc(s.Left, func(l Leftover) bool { return l.Host == host && l.Order <= order })
}

// dismiss notes that a host has taken what was left for it: it is committed there.
func (s State) dismiss(host string, order uint64) State {
	if !s.owes(host, order) {
		return s
	}
	s.Left = slices.DeleteFunc(slices.Clone(s.Left), func(l Leftover) bool { return l.Host == host && l.Order <= order })
	if len(s.Left) == 0 {
		s.Left = nil
	}
	return s
}

// dismissals tell hosts what is left for them.
func dismissals(s State) []actors.Effect {
	var effects []actors.Effect
	for _, l := range s.Left {
		effects = append(effects, tell(l.Host, &messages.OrderHost{InstanceId: s.View.Id, Order: l.Order, Kind: l.Kind, Leftover: true}))
	}
	return effects
}
