package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/cluster/watch"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	// MaxForeignWatches is how many grains one client may watch through one node.
	MaxForeignWatches = 10_000
	pushPause         = 50 * time.Millisecond // while a client does not read
)

// foreign watches grains for clients that are no members, as WatchGrain says.
type foreign struct {
	node *Node
	mu   sync.Mutex
	of   map[uint64]map[string]context.CancelFunc // by stream and the watch's id
}

// notice begins or ends a watch.
func (f *foreign) notice(from peer.Identity, m *messages.Notice) {
	f.mu.Lock()
	defer f.mu.Unlock()
	mine := f.of[from.Stream]
	if cancel, ok := mine[m.GetId()]; ok {
		if m.GetEnd() {
			cancel()
			delete(mine, m.GetId())
		}
		return
	}
	switch {
	case m.GetEnd() || f.node.stopping.Load():
		f.end(from.Stream, m.GetId(), nil)
		return
	case len(mine) >= MaxForeignWatches:
		f.end(from.Stream, m.GetId(), fmt.Errorf("%d watches on one stream: %w", MaxForeignWatches, messages.Exhausted))
		return
	}
	ref, get, err := watchable(from, m)
	if err == nil {
		ctx, cancel := context.WithCancel(f.node.ctx)
		var changes <-chan watch.Change
		if changes, err = f.node.client.Watch(ctx, ref, get); err == nil {
			f.keep(from.Stream, m.GetId(), cancel)
			f.node.tasks.Go(func() { f.push(ctx, from.Stream, m.GetId(), changes) })
			return
		}
		cancel()
	}
	f.end(from.Stream, m.GetId(), err)
}

// watchable is what a client wants to watch, if it may.
func watchable(from peer.Identity, m *messages.Notice) (ref actors.Ref, get proto.Message, err error) {
	asked := &messages.WatchGrain{}
	if err = proto.Unmarshal(m.GetPayload(), asked); err != nil {
		return ref, nil, fmt.Errorf("a watch that cannot be read: %w", messages.Invalid)
	}
	if get, err = decode(asked.GetMethod(), asked.GetPayload()); err != nil {
		return ref, nil, err
	}
	ref = actors.Ref{Kind: asked.GetKind(), ID: asked.GetId()}
	if !messages.IsQuery(get) || ref.Kind == cloudKind || ref.Kind == view.NodeKind {
		return ref, nil, fmt.Errorf("%s of %v is nothing that can be watched: %w", nameOf(get), ref, messages.Invalid)
	}
	get, err = confined(from, get)
	return ref, get, err
}

// keep remembers how to end a watch. Called under f.mu.
func (f *foreign) keep(stream uint64, id string, cancel context.CancelFunc) {
	if f.of == nil {
		f.of = map[uint64]map[string]context.CancelFunc{}
	}
	if f.of[stream] == nil {
		f.of[stream] = map[string]context.CancelFunc{}
	}
	f.of[stream][id] = cancel
}

// end tells a client that a watch is over; with a reason, another node would say
// the same.
func (f *foreign) end(stream uint64, id string, why error) {
	m := &messages.Notice{Topic: watchTopic, Id: id, End: true}
	if why != nil {
		if payload, err := proto.Marshal(toReply(nil, why)); err == nil {
			m.Method, m.Payload = replyName, payload
		}
	}
	_ = f.node.net.Push(stream, m)
}

const replyName = "troupe.Reply"

// push brings changes to a client; to one that does not read, only the last.
func (f *foreign) push(ctx context.Context, stream uint64, id string, changes <-chan watch.Change) {
	index := uint64(0)
	for c := range changes {
		index++
		payload, err := proto.Marshal(toReply(c.Answer, c.Err))
		if err != nil {
			continue
		}
		m := &messages.Notice{Topic: watchTopic, Id: id, Index: index, Method: replyName, Payload: payload}
		err = f.node.net.Push(stream, m)
		for errors.Is(err, peer.ErrBusy) && len(changes) == 0 && sleep(ctx, jitter(pushPause)) {
			err = f.node.net.Push(stream, m)
		}
		if err != nil && !errors.Is(err, peer.ErrBusy) {
			f.gone(stream)
		}
	}
	f.end(stream, id, nil)
}

// gone ends all watches of a stream.
func (f *foreign) gone(stream uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, cancel := range f.of[stream] {
		cancel()
	}
	delete(f.of, stream)
}
