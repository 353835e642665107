package cluster

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// A member that speaks a protocol reads the formats of states up to that number
// (actors.Format): a new format is a new protocol.
var _ = [1]struct{}{}[actors.Format-peer.Protocol]

// upgradeRest is for how long no member of an earlier version has been seen when one
// that has seen some begins to write the newest format: one that only had lost touch is
// back by then.
const upgradeRest = time.Minute

// formats are those in which states may be written. The zero value: the newest, for all
// are of this version and always were, as far as is known.
type formats struct {
	least atomic.Uint32 // what all members read, or read when there last were earlier ones
	from  atomic.Int64  // in Unix nanoseconds: from then on it is the newest
}

// see takes note of who the members are.
func (f *formats) see(v *view.View, now time.Time) {
	least := actors.Format
	for _, m := range v.Members {
		least = min(least, max(m.Protocol, actors.FormatFirst))
	}
	switch {
	case least < actors.Format:
		f.least.Store(least)
		f.from.Store(math.MaxInt64)
	case f.from.Load() == math.MaxInt64:
		f.from.Store(now.Add(upgradeRest).UnixNano())
	}
}

// newest is the newest format that all members read.
func (f *formats) newest(now time.Time) uint32 {
	if from := f.from.Load(); from == 0 || now.UnixNano() >= from {
		return actors.Format
	}
	return f.least.Load()
}

// OldestPeer is the oldest protocol that a node which joins must speak; see Shell. One
// that does not know yet who is there turns nobody away.
func (n *Node) OldestPeer() uint32 {
	if r := n.routing.Load(); r == nil || len(r.view.Members) == 0 {
		return 0
	}
	return n.formats.newest(time.Now())
}

// readable says whether this program can read a record.
func readable(r *messages.Record) bool {
	return r.Schema >= actors.FormatFirst && r.Schema <= actors.Format
}

// input is what a Step that may change the state is told. The state may hold what came
// with that format from here on, so no record of it is of an earlier one.
func (g *grain) input(c *call, now time.Time) actors.Input {
	if format := g.node.formats.newest(now); format > g.format {
		g.format = format
	}
	return actors.Input{ID: g.ref.ID, Now: now, Message: c.message, Request: c.request, Format: g.format}
}
