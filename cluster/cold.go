package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	coldTimeout = 10 * time.Second
	coldReads   = 64 // at once on this node
)

// readCold answers c with a row that stands in the store alone.
func (n *Node) readCold(ref actors.Ref, e actors.ReadCold, c *call) {
	if n.stopping.Load() {
		c.reply(nil, fmt.Errorf("the node stops: %w", messages.Unavailable))
		return
	}
	n.tasks.Go(func() {
		ctx, cancel := context.WithTimeout(n.ctx, coldTimeout)
		defer cancel()
		if !acquire(ctx, n.colds) {
			c.reply(nil, fmt.Errorf("too many read old rows: %w", messages.Unavailable))
			return
		}
		defer release(n.colds)
		c.reply(n.cold(ctx, ref, e))
	})
}

func (n *Node) cold(ctx context.Context, ref actors.Ref, e actors.ReadCold) (proto.Message, error) {
	item, err := n.store.Get(ctx, actors.ColdKey(ref, e.Table, e.Row))
	if errors.Is(err, messages.NotFound) {
		return nil, fmt.Errorf("%v has no row %q in %s: %w", ref, e.Row, e.Table, messages.NotFound)
	}
	if err != nil {
		return nil, err
	}
	m := e.As.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(item.Value, m); err != nil {
		return nil, fmt.Errorf("row %q in %s of %v is damaged: %w", e.Row, e.Table, ref, messages.Internal)
	}
	return m, nil
}
