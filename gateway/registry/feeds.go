package registry

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// The kinds that can be listened to, and what is asked of them.
const (
	ServiceKind = "service" // states' answers are *messages.Service
	ConfigKind  = "config"  // states' answers are *messages.ConfigDigest
)

var questions = map[string]proto.Message{
	ServiceKind: &messages.GetService{},
	ConfigKind:  &messages.GetConfigDigest{},
}

// Listener is somebody who wants to know when a service or a key changes.
type Listener interface {
	// Hear is called with each new state, one at a time for one feed, in order,
	// but for those that were merged. It must not block: who is slow keeps the
	// newest state for later. It may be called once more after Cancel.
	Hear(*Subscription, *State)
	// Client says who listens, for listings. It must not block.
	Client() Client
}

// Client describes who listens, as the dialect knows it.
type Client struct {
	Connection string // its id; empty: it has none
	IP         string
	Port       int    // of the client; for one who is told by datagrams that port
	Agent      string // e.g. "Nacos-Go-Client:v2.3.5"
	App        string
	Clusters   string // as asked for
	MD5        string // of a config's content, as the client said it has it
}

// Feeds is one watch a service or key on this node, fanned out to all who listen.
// A change is told at once where changes are seldom; a storm of them is merged
// to one state in 100 ms. Safe for concurrent use.
type Feeds struct {
	cloud  Cloud
	ctx    context.Context
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu        sync.Mutex
	feeds     map[actors.Ref]*feed
	listeners int
}

// NewFeeds makes feeds that live until Close.
func NewFeeds(cloud Cloud) *Feeds {
	f := &Feeds{cloud: cloud, feeds: map[actors.Ref]*feed{}}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.tasks.Go(f.sweep)
	return f
}

// Close ends every feed; nobody hears anything after it.
func (f *Feeds) Close() {
	f.cancel()
	f.tasks.Wait()
}

// Subscription is one listener's place at one feed.
type Subscription struct {
	feed     *feed
	listener Listener
	place    int // in feed.listeners, under its lock; -1: it has left
}

// Subscribe lets l hear of a service or a key (a grain of ServiceKind or
// ConfigKind; others are Invalid), also of one that does not exist. What the feed
// knows already is the subscription's State; what comes later l hears. Exhausted
// if too many listen or are watched on this node.
func (f *Feeds) Subscribe(ref actors.Ref, l Listener) (*Subscription, error) {
	get := questions[ref.Kind]
	if get == nil {
		return nil, fmt.Errorf("a %s cannot be listened to: %w", ref.Kind, messages.Invalid)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.ctx.Err() != nil:
		return nil, fmt.Errorf("this gateway is stopping: %w", messages.Unavailable)
	case f.listeners >= MaxListeners:
		return nil, fmt.Errorf("%d listen on this node already: %w", MaxListeners, messages.Exhausted)
	}
	d := f.feeds[ref]
	if d == nil {
		var err error
		if d, err = f.open(ref, get); err != nil {
			return nil, err
		}
	}
	f.listeners++
	s := &Subscription{feed: d, listener: l}
	d.join(s)
	return s, nil
}

// open begins a feed. Called under f.mu.
func (f *Feeds) open(ref actors.Ref, get proto.Message) (*feed, error) {
	ctx, cancel := context.WithCancel(f.ctx)
	changes, err := f.cloud.Watch(ctx, ref, get)
	if err != nil {
		cancel()
		return nil, err
	}
	d := &feed{feeds: f, ref: ref, cancel: cancel, first: make(chan struct{})}
	f.feeds[ref] = d
	f.tasks.Go(func() { d.run(ctx, changes) })
	return d, nil
}

// Cancel ends the subscription. Calling it again does nothing.
func (s *Subscription) Cancel() {
	if s.feed.leave(s) {
		f := s.feed.feeds
		f.mu.Lock()
		f.listeners--
		f.mu.Unlock()
	}
}

// Ref is what is listened to.
func (s *Subscription) Ref() actors.Ref { return s.feed.ref }

// State is the newest that the feed knows; nil: nothing yet.
func (s *Subscription) State() *State {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	return s.feed.state
}

// Await waits for the first state; it is there at once if anybody listened
// before. Unavailable if ctx ends first.
func (s *Subscription) Await(ctx context.Context) (*State, error) {
	select {
	case <-s.feed.first:
		return s.State(), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%v has not answered yet: %w", s.feed.ref, messages.Unavailable)
	}
}

// Listeners lists who listens to a service or a key on this node.
func (f *Feeds) Listeners(ref actors.Ref) []Client {
	f.mu.Lock()
	d := f.feeds[ref]
	f.mu.Unlock()
	if d == nil {
		return nil
	}
	return d.clients()
}

// Each calls visit for every listener of a kind on this node until it returns
// false.
func (f *Feeds) Each(kind string, visit func(actors.Ref, Client) bool) {
	f.mu.Lock()
	all := make([]*feed, 0, len(f.feeds))
	for ref, d := range f.feeds {
		if ref.Kind == kind {
			all = append(all, d)
		}
	}
	f.mu.Unlock()
	for _, d := range all {
		for _, c := range d.clients() {
			if !visit(d.ref, c) {
				return
			}
		}
	}
}

// Len is how many feeds and how many listeners there are.
func (f *Feeds) Len() (feeds, listeners int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.feeds), f.listeners
}

// sweep ends the feeds that nobody has listened to for a while.
func (f *Feeds) sweep() {
	ticker := time.NewTicker(sweepTime)
	defer ticker.Stop()
	for {
		select {
		case <-f.ctx.Done():
			return
		case now := <-ticker.C:
			f.expire(now)
		}
	}
}

func (f *Feeds) expire(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for ref, d := range f.feeds {
		if d.idle(now) {
			d.cancel()
			delete(f.feeds, ref)
		}
	}
}
