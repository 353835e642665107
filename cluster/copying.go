package cluster

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	pieceRows    = 512     // of one piece of a copy,
	pieceBytes   = 1 << 20 // about
	maxChanged   = 50_000  // rows that may change while a copy is on its way
	pieceTimeout = 2 * time.Second
	handTimeout  = time.Second // for the rows that have changed: nobody has the grain meanwhile
)

// manyRows is how many rows make a grain large: with fewer it comes up with one look
// at the store. Tests, where none is so large, have fewer.
var manyRows = 256

// copying is a copy of a grain's rows on its way to another node.
type copying struct {
	node    *Node
	ref     actors.Ref
	to      view.Member
	id      string
	pieces  uint64
	whole   atomic.Bool       // all rows are there, but for those that have changed
	changed map[string][]byte // committed since; nil: deleted
}

// copyTo sends the rows as they are durable now to where the grain will live, beside
// what the grain goes on doing.
func (g *grain) copyTo(p *parting) {
	state := g.state
	if g.flight != nil {
		state = g.flight.before
	}
	c := &copying{
		node: g.node, ref: g.ref, to: p.to, changed: map[string][]byte{},
		id: g.activation + "." + strconv.FormatInt(time.Since(began).Nanoseconds(), 36),
	}
	g.copying, p.copied = c, make(chan struct{})
	g.node.tasks.Go(func() {
		defer close(p.copied)
		if err := c.send(p.ctx, func(yield func(string, []byte) bool) error { return g.kind.kind.EachRow(state, yield) }, nil); err != nil {
			g.node.log.Debug().Err(err).Str("kind", g.ref.Kind).Str("id", g.ref.ID).Msg("a grain was not copied")
			return
		}
		c.whole.Store(true)
	})
}

// note keeps the rows that were committed, for a copy that has begun before.
func (g *grain) note(b *batch) {
	if g.copying == nil {
		return
	}
	prefix := actors.RowPrefix(g.ref)
	for _, w := range b.writes {
		if name, ok := strings.CutPrefix(w.Key, prefix); ok {
			g.copying.changed[name] = w.Value
		}
	}
	if len(g.copying.changed) > maxChanged {
		g.copying = nil
	}
}

// handAlong sends what the copy lacks, when the grain has let go. Called when nothing
// is in flight, and nothing will be; whoever waits for the release waits for this too.
func (g *grain) handAlong() {
	c := g.copying
	if g.copying = nil; c == nil || !c.whole.Load() || g.gone != nil || g.landing || g.expelled.Load() != movedAway {
		return
	}
	last := &messages.CopyGrain{Last: true, Revision: g.revision, Version: g.version}
	g.node.releases.add(1)
	g.node.tasks.Go(func() {
		defer g.node.releases.left(1)
		ctx, cancel := context.WithTimeout(g.node.ctx, handTimeout)
		defer cancel()
		err := c.send(ctx, func(yield func(string, []byte) bool) error {
			for name, value := range c.changed {
				if !yield(name, value) {
					break
				}
			}
			return nil
		}, last)
		if err != nil { // it will be read from the store
			g.node.log.Debug().Err(err).Str("kind", c.ref.Kind).Str("id", c.ref.ID).Msg("a copy was not completed")
		}
	})
}

// send brings rows in pieces, one after the other. Last is what the last one says,
// if these are the last.
func (c *copying) send(ctx context.Context, each func(yield func(name string, value []byte) bool) error, last *messages.CopyGrain) error {
	var rows []*messages.GrainRow
	var sent error
	size := 0
	err := each(func(name string, value []byte) bool {
		rows = append(rows, &messages.GrainRow{Name: name, Value: value, Gone: value == nil})
		if size += len(name) + len(value); len(rows) < pieceRows && size < pieceBytes {
			return true
		}
		sent = c.piece(ctx, &messages.CopyGrain{Rows: rows})
		rows, size = nil, 0
		return sent == nil
	})
	switch {
	case err != nil || sent != nil:
		return fmt.Errorf("after %d pieces: %w", c.pieces, cmp.Or(err, sent))
	case last != nil:
		last.Rows = rows
		return c.piece(ctx, last)
	case len(rows) > 0:
		return c.piece(ctx, &messages.CopyGrain{Rows: rows})
	}
	return nil
}

func (c *copying) piece(ctx context.Context, m *messages.CopyGrain) error {
	ctx, cancel := context.WithTimeout(ctx, pieceTimeout)
	defer cancel()
	c.pieces++
	m.Copy, m.Kind, m.Id, m.Piece = c.id, c.ref.Kind, c.ref.ID, c.pieces
	_, err := c.node.askMember(ctx, c.to, proto.Message(m))
	return err
}
