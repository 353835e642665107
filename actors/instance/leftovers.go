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
	if over := len(s.Left) - maxLeft; over > 0 { // those that were taken have been told
		s.Left = slices.DeleteFunc(s.Left, func(o Leftover) bool {
			if !o.Taken || over == 0 {
				return false
			}
			over--
			return true
		})
	}
	return s
}

// maxLeft is how many hosts an instance keeps in mind that have taken their orders.
const maxLeft = 16

// owes: the host has not yet been heard to have taken this order, or a newer one.
func (s State) owes(host string, order uint64) bool {
	return slices.ContainsFunc(s.Left, func(l Leftover) bool { return l.Host == host && l.Order <= order })
}

// untold says whether a host has still to take something.
func (s State) untold() bool {
	return slices.ContainsFunc(s.Left, func(l Leftover) bool { return !l.Taken })
}

// dismiss notes that a host has taken what was left for it: it is committed there.
// done says that it is done, too.
func (s State) dismiss(host string, order uint64, done bool) State {
	if !s.owes(host, order) {
		return s
	}
	left := s.Left
	s.Left = nil
	for _, l := range left {
		switch {
		case l.Host != host || l.Order > order:
		case l.Kind == orderRelease && !done && s.View.TaskState != deleting && s.View.VmState != deleted:
			l.Taken = true
		default:
			continue
		}
		s.Left = append(s.Left, l)
	}
	if len(s.Left) == 0 {
		s.Left = nil
	}
	return s
}

// dismissals tell hosts what is left for them.
func dismissals(s State) []actors.Effect {
	var effects []actors.Effect
	for _, l := range s.Left {
		if l.Taken {
			continue
		}
		effects = append(effects, tell(l.Host, &messages.OrderHost{InstanceId: s.View.Id, Order: l.Order, Kind: l.Kind, Leftover: true}))
	}
	return effects
}

// finishOff has the hosts that were to release what they have of an instance which is
// deleted now delete it.
func (s State) finishOff() State {
	left := s.Left
	s.Left = nil
	for _, l := range left {
		if l.Kind == orderRelease && l.Host == s.View.Host {
			continue // it is told itself
		}
		if l.Kind == orderRelease {
			l = Leftover{Host: l.Host, Order: s.Order, Kind: orderDelete}
		}
		s.Left = append(s.Left, l)
	}
	return s
}
