package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	loadTimeout  = 10 * time.Second
	loadAttempts = 5 // to read a record and its rows without a commit between
)

// load reads the state and steps Activated. It runs before any other message.
func (g *grain) load() {
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	if err := g.read(ctx); err != nil {
		g.node.log.Error().Err(err).Str("kind", g.ref.Kind).Str("id", g.ref.ID).Msg("a grain could not be loaded")
		if errors.Is(err, messages.Unavailable) {
			g.node.wakeUnsettled()
			err = &movedError{why: g.ref.String() + " could not be loaded: " + messages.Sentence(err)}
		}
		g.giveUp(err)
		return
	}
	g.node.watches.table.Changed(g.ref, g.version)
	g.decide(&call{to: g.ref, message: &messages.Activated{}}, time.Now())
	g.watchWork(false)
}

func (g *grain) read(ctx context.Context) (err error) {
	if g.kind.kind.Volatile() {
		g.state, err = g.kind.kind.Open(nil, nil)
		return err
	}
	if g.readCopy(ctx) {
		return nil
	}
	for range loadAttempts {
		var whole bool
		if whole, err = g.readOnce(ctx); err != nil || whole {
			return err
		}
	}
	return fmt.Errorf("%v changes faster than it can be read: %w", g.ref, messages.Unavailable)
}

// readOnce is not whole if somebody has committed while it read.
func (g *grain) readOnce(ctx context.Context) (whole bool, err error) {
	key := actors.RecordKey(g.ref)
	item, rows, err := g.fetch(ctx, key)
	if errors.Is(err, messages.NotFound) {
		g.format, g.revision, g.version = 0, 0, 0
		g.state, err = g.kind.kind.Open(nil, nil)
		return true, err
	}
	if err != nil {
		return false, err
	}
	record := &messages.Record{}
	if err := proto.Unmarshal(item.Value, record); err != nil {
		return false, g.damaged(key, err.Error())
	}
	switch {
	case !readable(record):
		return false, g.damaged(key, fmt.Sprintf("its format is %d, this program reads %d to %d", record.Schema, actors.FormatFirst, actors.Format))
	case record.Activation == "" || record.Version == 0:
		return false, g.damaged(key, "it has no activation or no version")
	}
	if g.kind.kind.HasTables() && rows == nil {
		if rows, err = g.readRows(ctx); err != nil {
			return false, err
		}
		if again, err := g.node.store.Get(ctx, key); err != nil || again.Revision != item.Revision {
			return false, err
		}
	}
	g.format, g.revision, g.version, g.known = record.Schema, item.Revision, record.Version, loaded(record, time.Now())
	if g.state, err = g.kind.kind.Open(record, rows); err != nil {
		return false, g.damaged(key, err.Error())
	}
	return true, nil
}

// fetch reads the record and, where the store can do that at once, the rows; they
// are nil where it cannot.
func (g *grain) fetch(ctx context.Context, key string) (item store.Item, rows map[string][]byte, err error) {
	if loader, ok := g.node.store.(store.Loader); ok && g.kind.kind.HasTables() {
		prefix := actors.RowPrefix(g.ref)
		items, whole, err := loader.Load(ctx, key, prefix)
		if err != nil {
			return item, nil, err
		}
		if whole && (len(items) == 0 || items[0].Key != key) {
			return item, nil, fmt.Errorf("no key %q: %w", key, messages.NotFound)
		}
		if whole {
			return items[0], rowsOf(items[1:], prefix), nil
		}
	}
	item, err = g.node.store.Get(ctx, key)
	return item, nil, err
}

func rowsOf(items []store.Item, prefix string) map[string][]byte {
	rows := make(map[string][]byte, len(items))
	for _, item := range items {
		rows[strings.TrimPrefix(item.Key, prefix)] = item.Value
	}
	return rows
}

// damaged says that what is stored cannot be the grain's: nothing is decided on
// it, and nothing is written over it, until somebody has mended it.
func (g *grain) damaged(key, why string) error {
	told := &messages.Refusal{Kind: messages.Internal, Sentence: fmt.Sprintf("what is stored under %q is damaged: %s", key, why)}
	return fmt.Errorf("%w; %v does nothing until it is mended", told, g.ref)
}

func (g *grain) readRows(ctx context.Context) (map[string][]byte, error) {
	rows, prefix, after := map[string][]byte{}, actors.RowPrefix(g.ref), ""
	for {
		items, more, err := g.node.store.List(ctx, prefix, after, store.MaxListItems)
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			rows[strings.TrimPrefix(item.Key, prefix)] = item.Value
			after = item.Key
		}
		if !more {
			return rows, nil
		}
	}
}
