package cluster

import (
	"time"

	"github.com/troupe-cloud/troupe/actors"
)

// A grain that its first message makes (actors.Spec.Makes) is not looked for in the
// store: over a network that is a journey for nothing. It begins from nothing,
// unread, and its first commit, which checks that there is no record, proves that
// this was right. Until then it answers nobody: what comes while that commit is
// under way waits for it, and whatever would be said without a commit is found out
// by reading first. A commit that fails ends the activation, and whoever has asked
// asks again, which another one reads for.

// begins says whether c may begin an activation that reads nothing. A copy of what
// may have been done before would find its own record.
func (k *kindEntry) begins(c *call) bool { return !c.suspect && k.kind.Makes(c.message) }

// open begins from nothing. False: that is not possible.
func (g *grain) open() bool {
	if !g.unread {
		return false
	}
	state, err := g.kind.kind.Open(nil, nil)
	if err != nil {
		g.unread = false
		return false
	}
	g.state = state
	return true
}

// unproved has c wait for the proof, if that is under way, or reads. False: c may be
// stepped.
func (g *grain) unproved(c *call) (waits bool) {
	switch {
	case !g.unread:
		return false
	case g.flight != nil:
		g.backlog = append(g.backlog, c)
		return true
	case !g.kind.begins(c):
		g.prove()
	}
	return false
}

// doubts says whether what a turn came to may not be said before the state was read.
func (g *grain) doubts(turn actors.Turn, err error) bool {
	return g.unread && g.flight == nil && (err != nil || !turn.Changed || turn.Memory)
}

// prove reads what was not read so far.
func (g *grain) prove() {
	g.unread = false
	g.load()
}

// reconsider is decide again, on what is stored.
func (g *grain) reconsider(c *call, now time.Time) bool {
	g.prove()
	if g.gone != nil {
		g.turnBack(c, g.gone)
		return true
	}
	return g.decide(c, now)
}
