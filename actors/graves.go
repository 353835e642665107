package actors

import (
	"fmt"
	"time"

	"github.com/troupe-cloud/troupe/messages/encode"
)

// GraveTime is how long a grain remembers who is gone. A message older than
// this has been answered by time-outs long ago.
const GraveTime = time.Hour

// Graves remembers for GraveTime who is gone and by which order, so that a late
// or repeated message cannot bring it back. The zero Graves is empty. Name both
// tables in Spec.Tables.
type Graves struct {
	First, Next uint64
	Line        Table[Grave]  `json:"-"` // by number, oldest first
	Dead        Table[uint64] `json:"-"` // by id: the number in Line
}

// Grave is who is gone, since when, and by which order.
type Grave struct {
	ID    string
	At    time.Time
	Order uint64
	Why   string // empty: it was removed; else it was refused, and why
}

// IsZero says that nobody was ever buried: then nothing of it is stored in the record.
func (g Graves) IsZero() bool { return g.First == 0 && g.Next == 0 }

// AppendJSON is encode.Appender's.
func (g Graves) AppendJSON(b []byte) ([]byte, error) {
	o := encode.Open(b)
	o.Uint("First", g.First)
	o.Uint("Next", g.Next)
	return o.Close()
}

// Table is one of both tables by the name that it has in all kinds.
func (g *Graves) Table(name string) Rows {
	if name == "line" {
		return &g.Line
	}
	return &g.Dead
}

// Get is id's grave.
func (g Graves) Get(id string) (Grave, bool) {
	n, ok := g.Dead.Get(id)
	if !ok {
		return Grave{}, false
	}
	return g.Line.Get(graveKey(n))
}

// Bury adds a grave in place of an older one of the same id, and clears at most
// two that have had their time: the cost of remembering stays constant.
func (g Graves) Bury(d Grave) Graves {
	if n, ok := g.Dead.Get(d.ID); ok {
		g.Line = g.Line.Delete(graveKey(n))
	}
	g.Line = g.Line.Set(graveKey(g.Next), d)
	g.Dead = g.Dead.Set(d.ID, g.Next)
	g.Next++
	for range 2 {
		g = g.clearOldest(d.At)
	}
	return g
}

// Raise forgets id's grave: it lives again by a newer order.
func (g Graves) Raise(id string) Graves {
	if n, ok := g.Dead.Get(id); ok {
		g.Line, g.Dead = g.Line.Delete(graveKey(n)), g.Dead.Delete(id)
	}
	return g
}

func (g Graves) clearOldest(now time.Time) Graves {
	for g.First < g.Next {
		d, ok := g.Line.Get(graveKey(g.First))
		if ok && now.Sub(d.At) < GraveTime {
			return g
		}
		if ok {
			g.Line, g.Dead = g.Line.Delete(graveKey(g.First)), g.Dead.Delete(d.ID)
		}
		g.First++
		if ok {
			return g
		}
	}
	return g
}

func graveKey(n uint64) string { return fmt.Sprintf("%016x", n) }
