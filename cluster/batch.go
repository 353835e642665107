package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	// A batch takes no more messages beyond these; they wait for the next.
	maxBatchOutcomes = 1024
	maxBatchWrites   = store.MaxTxnWrites / 2
	maxBatchBytes    = 8 << 20

	commitTimeout = 10 * time.Second // of one try
	commitTries   = 5                // while the outcome is unknown
	commitPause   = 50 * time.Millisecond
)

// room is how much the messages of one batch may write together, the record
// included. A single message may write more.
type room struct{ writes, bytes int }

// roomIn is what a store takes without much ado.
func roomIn(s store.Store) room {
	if sized, ok := s.(store.Sized); ok {
		writes, bytes := sized.Cheap()
		return room{min(writes, maxBatchWrites), min(bytes, maxBatchBytes)}
	}
	return room{maxBatchWrites, maxBatchBytes}
}

// batch is the changes of several messages on their way to one commit, and
// what happens once they are durable.
type batch struct {
	room     room
	writes   []store.Write  // the last one of each key, once there are several messages
	at       map[string]int // where a key's write stands; made for the second message
	bytes    int
	outcomes []outcome
	asked    atomic.Bool // somebody waits for one of them

	// What stood before its first message: the state that is durable while it is
	// in flight, and that is gone back to if nothing was decided.
	before actors.State
	known  memory

	timed bool // a slow is on its way
	late  bool // it takes long: queries are answered from before
}

func (b *batch) add(writes []actors.Write, o outcome) {
	first := len(b.writes) == 0
	if first {
		b.writes = make([]store.Write, 0, len(writes)+1) // the record joins them
	}
	for _, w := range writes {
		size := len(w.Key) + len(w.Value)
		if i, twice := b.find(w.Key); !first && twice {
			b.bytes += len(w.Value) - len(b.writes[i].Value)
			b.writes[i] = store.Write(w)
			continue
		}
		if b.at != nil {
			b.at[w.Key] = len(b.writes)
		}
		b.writes, b.bytes = append(b.writes, store.Write(w)), b.bytes+size
	}
	b.join(o)
}

// join has an outcome wait for the commit.
func (b *batch) join(o outcome) {
	b.outcomes = append(b.outcomes, o)
	if o.call.awaited() {
		b.asked.Store(true)
	}
}

// find is where the write of a key stands, for a second message.
func (b *batch) find(key string) (int, bool) {
	if b.at == nil && len(b.outcomes) > 0 {
		b.at = make(map[string]int, 2*len(b.writes))
		for i, w := range b.writes {
			b.at[w.Key] = i
		}
	}
	i, ok := b.at[key]
	return i, ok
}

// fits says whether a turn's writes can go along.
func (b *batch) fits(writes []actors.Write) bool {
	if b == nil {
		return true
	}
	count, bytes := len(b.writes)+1, b.bytes
	for _, w := range writes {
		if i, twice := b.find(w.Key); twice {
			bytes += len(w.Value) - len(b.writes[i].Value)
			continue
		}
		count, bytes = count+1, bytes+len(w.Key)+len(w.Value)
	}
	return count <= b.room.writes && bytes <= b.room.bytes
}

// full says whether the next message has to wait.
func (b *batch) full() bool {
	return b != nil && (len(b.outcomes) >= maxBatchOutcomes || len(b.writes)+1 >= b.room.writes || b.bytes >= b.room.bytes)
}

func (b *batch) all() []outcome {
	if b == nil {
		return nil
	}
	return b.outcomes
}

// launch sends the pending batch to the store.
func (g *grain) launch() {
	if g.expelled.Load() == fencedOff {
		g.giveUp(errFenced)
		return
	}
	g.flight, g.pending = g.pending, nil
	g.version++
	value := encodeRecord(g.format, g.activation, g.version, g.known, time.Now(), g.state.Encoded())
	key := actors.RecordKey(g.ref)
	c := &commit{
		node: g.node, ref: g.ref, revision: g.revision, activation: g.activation, version: g.version,
		txn: store.Txn{
			Checks: []store.Check{{Key: key, Revision: g.revision}},
			Writes: append(g.flight.writes, store.Write{Key: key, Value: value}),
		},
	}
	g.node.commitBegins()
	g.landing = true
	pid, root := g.pid, g.node.system.Root
	flight := g.flight
	c.start(func(revision uint64, err error) { root.Send(pid, committed{revision, err, flight.asked.Load()}) })
}

// landed performs what the commit in flight has made durable, and launches the next.
func (g *grain) landed(m committed) {
	defer g.node.commitEnds()
	g.landing = false
	if g.gone != nil {
		g.stopIfEmpty()
		return
	}
	if m.err != nil {
		if errors.Is(m.err, store.ErrUndecided) && !g.unread && !errors.Is(m.err, store.ErrFenced) && g.expelled.Load() == 0 && g.retiring == nil {
			g.goBack(m.err)
		} else {
			g.abandon(m.err)
		}
		return
	}
	done := g.flight
	g.unread = false
	g.flight, g.revision = nil, m.revision
	g.node.written.Add(1)
	g.note(done)
	g.node.watches.table.Changed(g.ref, g.version)
	if e := g.node.commits.Debug(); e.Enabled() {
		e.Str("kind", g.ref.Kind).Str("id", g.ref.ID).Uint64("rev", m.revision).
			Str("request", done.outcomes[0].call.request).Int("messages", len(done.outcomes)).Msg("committed")
	}
	for _, o := range done.outcomes {
		g.perform(o)
	}
	g.watchWork(true)
	if g.expelled.Load() != 0 {
		backlog := g.backlog
		g.backlog = nil
		for _, c := range backlog {
			g.turnAway(c, errElsewhere)
		}
	}
	if g.pending != nil {
		g.launch()
	}
	g.resume()
	if g.retiring != nil && g.flight == nil {
		g.handAlong()
		g.giveUp(g.retiring)
	}
}

// resume steps what had to wait for room.
func (g *grain) resume() {
	for len(g.backlog) > 0 && g.gone == nil && !g.pending.full() {
		c := g.backlog[0]
		g.backlog[0], g.backlog = nil, g.backlog[1:]
		if !g.step(c) {
			break
		}
	}
	if len(g.backlog) == 0 {
		g.backlog = nil
	}
}

// abandon ends an activation whose state in memory will not become durable.
func (g *grain) abandon(err error) {
	log := g.node.log.Warn()
	if errors.Is(err, store.ErrStale) {
		g.node.stale.Add(1)
		log = g.node.log.Info()
		err = &movedError{why: g.ref.String() + " is active elsewhere", maybe: true}
	} else if errors.Is(err, messages.Unavailable) {
		err = &movedError{why: g.ref.String() + " could not be saved, and may or may not have changed: " + messages.Sentence(err), maybe: true}
	}
	log.Err(err).Str("kind", g.ref.Kind).Str("id", g.ref.ID).Msg("an activation gave up")
	g.node.wakeUnsettled()
	g.giveUp(err)
}

// commit is one transaction on its way, and how to tell whether it arrived.
type commit struct {
	node       *Node
	ref        actors.Ref
	txn        store.Txn
	revision   uint64 // before
	activation string
	version    uint64
}

// start commits, and calls then with the outcome.
func (c *commit) start(then func(revision uint64, err error)) {
	s, ok := c.node.store.(store.Submitter)
	if !ok {
		go func() { then(c.certain(c.once())) }()
		return
	}
	s.Submit(c.txn, func(revision uint64, err error) {
		if errors.Is(err, messages.Unavailable) {
			go func() { then(c.certain(revision, err)) }()
			return
		}
		then(revision, err)
	})
}

// certain settles an unknown outcome. It reads back: the record carries this
// activation's mark, or still its old revision (then it tries again), or
// somebody else's.
func (c *commit) certain(revision uint64, err error) (uint64, error) {
	for try := 1; try < commitTries && errors.Is(err, messages.Unavailable); try++ {
		if errors.Is(err, store.ErrUndecided) || errors.Is(err, store.ErrClosed) {
			break // nothing was decided, and nothing will be
		}
		time.Sleep(jitter(commitPause << try))
		back, found, readErr := c.readBack()
		switch {
		case readErr != nil:
			continue
		case found != unchanged:
			return back, found.err()
		}
		// A try that is lost may still arrive late and make this one stale: look again.
		if revision, err = c.once(); errors.Is(err, store.ErrStale) {
			err = fmt.Errorf("%w: %w", err, messages.Unavailable)
		}
	}
	return revision, err
}

func (c *commit) once() (uint64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	return c.node.store.Commit(ctx, c.txn)
}

type trace int

const (
	unchanged trace = iota
	ours
	theirs
)

func (t trace) err() error {
	if t == theirs {
		return store.ErrStale
	}
	return nil
}

func (c *commit) readBack() (revision uint64, found trace, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), commitTimeout)
	defer cancel()
	item, err := c.node.store.Get(ctx, actors.RecordKey(c.ref))
	if err != nil && !errors.Is(err, messages.NotFound) {
		return 0, unchanged, err
	}
	if item.Revision == c.revision {
		return 0, unchanged, nil
	}
	record := &messages.Record{}
	if err := proto.Unmarshal(item.Value, record); err != nil {
		return 0, theirs, nil
	}
	if record.Activation == c.activation && record.Version == c.version {
		return item.Revision, ours, nil
	}
	return 0, theirs, nil
}
