package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	maxCopyBytes = 256 << 20        // rows of all copies that wait here for their grains
	copyLife     = 30 * time.Second // without another piece
)

// copies are the rows of large grains that another node says will live here soon,
// see messages.CopyGrain. A copy is believed only for the very record that stands
// in the store when its grain comes up: of one record there is one set of rows, for
// they are committed together. So a copy that is old, or was never needed, does no
// harm, whoever has owned the grain since.
type copies struct {
	kinds map[string]*kindEntry

	sorting sync.Mutex // held by who sorts rows in, one at a time

	mu    sync.Mutex
	of    map[actors.Ref]*grainCopy
	bytes int
	used  int // copies that a grain came up from
}

type grainCopy struct {
	id       string
	pieces   uint64 // taken, or being taken
	bytes    int
	rows     actors.State // has nothing but rows
	whole    bool
	revision uint64 // of the record that it belongs to
	version  uint64
	expiry   *time.Timer
}

func newCopies(kinds map[string]*kindEntry) *copies {
	return &copies{kinds: kinds, of: map[actors.Ref]*grainCopy{}}
}

// add takes a piece. Of an error the sender learns that the copy is not to be.
func (c *copies) add(m *messages.CopyGrain) error {
	ref := actors.Ref{Kind: m.GetKind(), ID: m.GetId()}
	k := c.kinds[ref.Kind]
	if k == nil || !k.kind.HasTables() {
		return fmt.Errorf("no grain of kind %q has rows: %w", ref.Kind, messages.Invalid)
	}
	rows, size := rowsOfPiece(m)
	one, err := c.begin(ref, m, size)
	if err != nil {
		return err
	}
	c.sorting.Lock()
	state, err := k.kind.Patch(one.rows, nil, rows) // one piece of a copy at a time
	c.sorting.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.of[ref] != one:
		return fmt.Errorf("the copy of %v was given up: %w", ref, messages.Conflict)
	case err != nil:
		c.drop(ref, one)
		return fmt.Errorf("the copy of %v: %w: %w", ref, err, messages.Invalid)
	}
	one.rows, one.whole, one.revision, one.version = state, m.GetLast(), m.GetRevision(), m.GetVersion()
	return nil
}

func rowsOfPiece(m *messages.CopyGrain) (rows map[string][]byte, size int) {
	rows = make(map[string][]byte, len(m.GetRows()))
	for _, r := range m.GetRows() {
		size += len(r.GetName()) + len(r.GetValue())
		switch {
		case r.GetGone():
			rows[r.GetName()] = nil
		case r.GetValue() == nil:
			rows[r.GetName()] = []byte{}
		default:
			rows[r.GetName()] = r.GetValue()
		}
	}
	return rows, size
}

// begin finds the copy that a piece belongs to, and makes room.
func (c *copies) begin(ref actors.Ref, m *messages.CopyGrain, size int) (*grainCopy, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.of[ref]
	if m.GetPiece() == 1 {
		if one != nil {
			c.drop(ref, one)
		}
		one = &grainCopy{id: m.GetCopy()}
		one.expiry = time.AfterFunc(copyLife, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.drop(ref, one)
		})
		c.of[ref] = one
	}
	switch {
	case one == nil || one.id != m.GetCopy() || m.GetPiece() != one.pieces+1:
		return nil, fmt.Errorf("piece %d of a copy of %v is not the next: %w", m.GetPiece(), ref, messages.Conflict)
	case c.bytes+size > maxCopyBytes:
		c.drop(ref, one)
		return nil, fmt.Errorf("copies of %d bytes wait already: %w", c.bytes, messages.Exhausted)
	}
	one.pieces, one.whole = one.pieces+1, false
	one.bytes, c.bytes = one.bytes+size, c.bytes+size
	one.expiry.Reset(copyLife)
	return one, nil
}

// drop forgets a copy, if it is still there. Called under c.mu.
func (c *copies) drop(ref actors.Ref, one *grainCopy) {
	one.expiry.Stop()
	if c.of[ref] == one {
		delete(c.of, ref)
		c.bytes -= one.bytes
	}
}

// take is the copy of a grain that comes up, if all of it is there. It is used once.
func (c *copies) take(ref actors.Ref) *grainCopy {
	c.mu.Lock()
	defer c.mu.Unlock()
	one := c.of[ref]
	if one == nil {
		return nil
	}
	if c.drop(ref, one); !one.whole {
		return nil
	}
	return one
}

func (c *copies) cameUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used++
}

func (c *copies) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for ref, one := range c.of {
		c.drop(ref, one)
	}
}

// readCopy makes the state of the store's record and of rows that were brought here,
// if they belong together; else everything is to be read.
func (g *grain) readCopy(ctx context.Context) bool {
	c := g.node.copies.take(g.ref)
	if c == nil {
		return false
	}
	item, err := g.node.store.Get(ctx, actors.RecordKey(g.ref))
	record := &messages.Record{}
	if err != nil || item.Revision != c.revision || proto.Unmarshal(item.Value, record) != nil ||
		!readable(record) || record.Version != c.version || record.Activation == "" {
		return false
	}
	state, err := g.kind.kind.Patch(c.rows, record, nil)
	if err != nil {
		return false
	}
	g.state, g.format, g.revision, g.version, g.known = state, record.Schema, item.Revision, record.Version, loaded(record, time.Now())
	g.node.copies.cameUp()
	g.node.log.Debug().Str("kind", g.ref.Kind).Str("id", g.ref.ID).Uint64("pieces", c.pieces).Msg("a grain came up from a copy")
	return true
}
