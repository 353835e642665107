package cluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/peer"
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
	if m.GetEnd() || f.node.stopping.Load() || len(mine) >= MaxForeignWatches {
		f.end(from.Stream, m.GetId())
		return
	}
	asked := &messages.WatchGrain{}
	err := proto.Unmarshal(m.GetPayload(), asked)
	if err == nil {
		var get proto.Message
		if get, err = decode(asked.GetMethod(), asked.GetPayload()); err == nil && messages.IsQuery(get) {
			ctx, cancel := context.WithCancel(f.node.ctx)
			changes, watchErr := f.node.client.Watch(ctx, actors.Ref{Kind: asked.GetKind(), ID: asked.GetId()}, get)
			if watchErr == nil {
				f.keep(from.Stream, m.GetId(), cancel)
				f.node.tasks.Go(func() { f.push(ctx, from.Stream, m.GetId(), changes) })
				return
			}
			cancel()
		}
	}
	f.end(from.Stream, m.GetId())
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

func (f *foreign) end(stream uint64, id string) {
	_ = f.node.net.Push(stream, &messages.Notice{Topic: watchTopic, Id: id, End: true})
}

// push brings changes to a client; to one that does not read, only the last.
func (f *foreign) push(ctx context.Context, stream uint64, id string, changes <-chan watch.Change) {
	index := uint64(0)
	for c := range changes {
		index++
		payload, err := proto.Marshal(toReply(c.Answer, c.Err))
		if err != nil {
			continue
		}
		m := &messages.Notice{Topic: watchTopic, Id: id, Index: index, Method: "troupe.Reply", Payload: payload}
		err = f.node.net.Push(stream, m)
		for errors.Is(err, peer.ErrBusy) && len(changes) == 0 && sleep(ctx, jitter(pushPause)) {
			err = f.node.net.Push(stream, m)
		}
		if err != nil && !errors.Is(err, peer.ErrBusy) {
			f.gone(stream)
		}
	}
	f.end(stream, id)
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
