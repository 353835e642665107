package watch

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Times and limits of a Hub.
const (
	RenewEvery = 2 * time.Second // between two assurances that this node still watches
	Lease      = 4 * RenewEvery  // after which the owner forgets a watcher who is silent

	fetches     = 64               // at once
	fetchTime   = 10 * time.Second // of one
	fetchRetry  = 200 * time.Millisecond
	firstNotice = 100 * time.Millisecond // for which a first fetch waits for the owner's word
)

// Change is one state of a grain that is watched.
type Change struct {
	Version uint64        // of the record; the same for changes of what is in memory only
	Answer  proto.Message // to the question that is watched; shared: not to be changed
	Err     error         // instead: for instance messages.NotFound, once it is gone
}

// Fetch asks a grain.
type Fetch func(ctx context.Context, ref actors.Ref, get proto.Message) (proto.Message, error)

// Hub watches grains for everybody on this node: however many watch one, it is
// subscribed to once, and each state is fetched once. Safe for concurrent use.
type Hub struct {
	fetch Fetch
	wake  func() // there are grains to subscribe to
	slots chan struct{}
	ctx   context.Context
	tasks *sync.WaitGroup

	mu     sync.Mutex
	topics map[actors.Ref]*topic
	fresh  map[actors.Ref]struct{} // not subscribed to yet
	closed bool
}

// topic is a grain that is watched; its feeds are the questions asked of it.
type topic struct {
	seen  version
	feeds map[string]*feed
}

type version struct {
	version, touched uint64
	stamp            string
}

// feed is one question asked of a grain again and again.
type feed struct {
	ref      actors.Ref
	get      proto.Message
	watchers map[chan Change]struct{}
	fetching bool
	again    bool // something was heard during a fetch that it may have missed
	last     *Change
}

// NewHub makes a hub whose fetches end with ctx and are counted in tasks. Wake is
// called, and must not block, when there is something in Fresh.
func NewHub(ctx context.Context, tasks *sync.WaitGroup, fetch Fetch, wake func()) *Hub {
	return &Hub{
		fetch: fetch, wake: wake, slots: make(chan struct{}, fetches), ctx: ctx, tasks: tasks,
		topics: map[actors.Ref]*topic{}, fresh: map[actors.Ref]struct{}{},
	}
}

// Watch answers get now and whenever the grain has changed, until ctx ends and
// the channel is closed. Who reads slowly misses states, but never the last one.
func (h *Hub) Watch(ctx context.Context, ref actors.Ref, get proto.Message) (<-chan Change, error) {
	payload, err := proto.MarshalOptions{Deterministic: true}.Marshal(get)
	if err != nil {
		return nil, fmt.Errorf("a question that cannot be asked: %w", messages.Invalid)
	}
	key := string(get.ProtoReflect().Descriptor().FullName()) + "\x00" + string(payload)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, fmt.Errorf("this node is stopping: %w", messages.Unavailable)
	}
	t := h.topics[ref]
	if t == nil {
		if len(h.topics) >= MaxWatched {
			return nil, fmt.Errorf("%d actors are watched from this node already: %w", MaxWatched, messages.Exhausted)
		}
		t = &topic{feeds: map[string]*feed{}}
		h.topics[ref] = t
		h.fresh[ref] = struct{}{}
		h.wake()
	}
	f := t.feeds[key]
	if f == nil {
		f = &feed{ref: ref, get: get, watchers: map[chan Change]struct{}{}}
		t.feeds[key] = f
		if t.seen != (version{}) {
			h.begin(t, f)
		} else {
			h.tasks.Go(func() { h.first(t, f) })
		}
	}
	out := make(chan Change, 1)
	f.watchers[out] = struct{}{}
	if f.last != nil {
		out <- *f.last
	}
	context.AfterFunc(ctx, func() { h.leave(ref, key, f, out) })
	return out, nil
}

func (h *Hub) leave(ref actors.Ref, key string, f *feed, out chan Change) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, in := f.watchers[out]; !in {
		return
	}
	delete(f.watchers, out)
	close(out)
	if t := h.topics[ref]; len(f.watchers) == 0 && t != nil && t.feeds[key] == f {
		if delete(t.feeds, key); len(t.feeds) == 0 {
			delete(h.topics, ref)
			delete(h.fresh, ref)
		}
	}
}

// first fetches although the owner has said nothing for a while.
func (h *Hub) first(t *topic, f *feed) {
	wait := time.NewTimer(firstNotice)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-h.ctx.Done():
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if f.last == nil {
		h.begin(t, f)
	}
}

// Fresh lists the grains that are not subscribed to yet; All lists every one, as
// the owner's answer to a renewal should know them.
func (h *Hub) Fresh() []*messages.GrainVersion {
	h.mu.Lock()
	defer h.mu.Unlock()
	fresh := make([]*messages.GrainVersion, 0, len(h.fresh))
	for ref := range h.fresh {
		fresh = append(fresh, h.topics[ref].seen.of(ref))
	}
	clear(h.fresh)
	return fresh
}

// All lists the grains that are watched, and what was last heard of them.
func (h *Hub) All() []*messages.GrainVersion {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]*messages.GrainVersion, 0, len(h.topics))
	for ref, t := range h.topics {
		all = append(all, t.seen.of(ref))
	}
	clear(h.fresh)
	return all
}

// Len is how many grains are watched.
func (h *Hub) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.topics)
}

func (v version) of(ref actors.Ref) *messages.GrainVersion {
	return &messages.GrainVersion{Kind: ref.Kind, Id: ref.ID, Version: v.version, Stamp: v.stamp, Touched: v.touched}
}

// Same says whether two versions are one.
func Same(a, b *messages.GrainVersion) bool {
	return a.GetVersion() == b.GetVersion() && a.GetStamp() == b.GetStamp() && a.GetTouched() == b.GetTouched()
}

// Heard takes an owner's word on how new a grain is.
func (h *Hub) Heard(g *messages.GrainVersion) {
	ref := actors.Ref{Kind: g.GetKind(), ID: g.GetId()}
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.topics[ref]
	if t == nil {
		return
	}
	now := version{g.GetVersion(), g.GetTouched(), g.GetStamp()}
	if g.GetUnknown() {
		now = t.seen
	}
	late := now.stamp == t.seen.stamp && now.version <= t.seen.version && now.touched <= t.seen.touched
	if !late {
		t.seen = now
	}
	for _, f := range t.feeds {
		if !late || f.last == nil {
			h.begin(t, f)
		}
	}
}

// begin fetches, or has the fetch that is under way followed by another. Called
// under h.mu.
func (h *Hub) begin(t *topic, f *feed) {
	if h.closed || f.fetching {
		f.again = true
		return
	}
	f.fetching, f.again = true, false
	h.tasks.Go(func() { h.keepFetching(t, f) })
}

func (h *Hub) keepFetching(t *topic, f *feed) {
	for {
		h.mu.Lock()
		seen := t.seen.version
		h.mu.Unlock()
		answer, err := h.once(f)
		if h.ctx.Err() != nil {
			return
		}
		h.mu.Lock()
		retry := messages.KindOf(err) == messages.ErrorKind_ERROR_KIND_UNAVAILABLE
		if !retry {
			f.deliver(Change{seen, answer, err})
		}
		if len(f.watchers) == 0 || !retry && !f.again {
			f.fetching = false
			h.mu.Unlock()
			return
		}
		f.again = false
		h.mu.Unlock()
		if retry {
			select {
			case <-time.After(fetchRetry):
			case <-h.ctx.Done():
				return
			}
		}
	}
}

func (h *Hub) once(f *feed) (proto.Message, error) {
	select {
	case h.slots <- struct{}{}:
	case <-h.ctx.Done():
		return nil, h.ctx.Err()
	}
	defer func() { <-h.slots }()
	ctx, cancel := context.WithTimeout(h.ctx, fetchTime)
	defer cancel()
	return h.fetch(ctx, f.ref, f.get)
}

// deliver gives every watcher the newest state, in place of one that it has not
// read. What was fetched again and is the same is no change. Called under h.mu.
func (f *feed) deliver(c Change) {
	if l := f.last; l != nil && l.Version == c.Version && proto.Equal(l.Answer, c.Answer) && messages.KindOf(l.Err) == messages.KindOf(c.Err) {
		return
	}
	f.last = &c
	for out := range f.watchers {
		select {
		case <-out:
		default:
		}
		out <- c
	}
}

// Close ends every watch.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, t := range h.topics {
		for _, f := range t.feeds {
			for out := range f.watchers {
				delete(f.watchers, out)
				close(out)
			}
		}
	}
	clear(h.topics)
	clear(h.fresh)
}
