package cluster

import (
	"fmt"
	"hash/maphash"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	shardCount = 64

	// MaxWaiting is how many messages may wait for one grain before asks are
	// refused. Tells between grains are not: they would only come again.
	MaxWaiting = 20_000
)

// lookup knows where every grain of this node is, and makes it exist when it is
// first spoken to. Messages are posted under a shard's read lock and grains
// leave under its write lock, so nothing is posted to a grain that has left.
type lookup struct {
	node    *Node
	kinds   map[string]*kindEntry
	seed    maphash.Seed
	spawned atomic.Uint64
	shards  [shardCount]shard
}

type shard struct {
	mu     sync.RWMutex
	grains map[actors.Ref]*grain
	closed bool   // the node stops: no grain is made any more
	next   *grain // the actor that is being spawned, under mu
	props  *actor.Props
}

type kindEntry struct {
	kind actors.Kind
	live atomic.Int64 // grains in memory
}

func newLookup(n *Node, kinds []actors.Kind) (*lookup, error) {
	l := &lookup{node: n, kinds: map[string]*kindEntry{}, seed: maphash.MakeSeed()}
	for _, k := range kinds {
		if _, twice := l.kinds[k.Name()]; twice {
			return nil, fmt.Errorf("kind %q is registered twice: %w", k.Name(), messages.Invalid)
		}
		l.kinds[k.Name()] = &kindEntry{kind: k}
	}
	for i := range l.shards {
		s := &l.shards[i]
		s.grains = map[actors.Ref]*grain{}
		// One Props a shard instead of one a grain saves 200 bytes a grain.
		s.props = actor.PropsFromProducer(func() actor.Actor {
			if s.next == nil {
				return orphan{}
			}
			return s.next
		}, actor.WithMailbox(l.node.workers.mailbox), actor.WithOnInit(initialise))
	}
	return l, nil
}

// orphan takes the place of a grain whose actor is made anew by protoactor,
// which only a panic in the shell itself could cause.
type orphan struct{}

func (orphan) Receive(c actor.Context) {
	if _, ok := c.Message().(*actor.Started); ok {
		c.Stop(c.Self())
	}
}

// initialise gives a grain its address before its first message.
func initialise(c actor.Context) {
	if g, ok := c.Actor().(*grain); ok {
		g.pid = c.Self()
	}
}

func (l *lookup) shard(r actors.Ref) *shard {
	return &l.shards[maphash.String(l.seed, r.ID)%shardCount]
}

// post delivers c to its grain, which is activated if need be and if this node
// may: errElsewhere, errSettling or errUnleased if not.
func (l *lookup) post(c *call) error {
	s := l.shard(c.to)
	s.mu.RLock()
	g := s.grains[c.to]
	if g != nil {
		err := g.push(c)
		s.mu.RUnlock()
		return err
	}
	s.mu.RUnlock()
	if err := l.node.admit(c.to); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := l.activate(s, c)
	if err != nil {
		return err
	}
	return g.push(c)
}

// activate makes the grain exist, whose first message will be c. Called under the shard's write lock.
func (l *lookup) activate(s *shard, c *call) (*grain, error) {
	ref := c.to
	if g := s.grains[ref]; g != nil {
		return g, nil
	}
	// Asked again under the lock: who takes the grains of an older view out of
	// this shard has made the newer one known before.
	if err := l.node.admit(ref); err != nil {
		return nil, err
	}
	k := l.kinds[ref.Kind]
	switch {
	case s.closed:
		return nil, errStopping
	case k == nil:
		return nil, fmt.Errorf("there is no kind %q: %w", ref.Kind, messages.Invalid)
	case ref.ID == "" || len(actors.RecordKey(ref)) > maxRecordKey:
		return nil, fmt.Errorf("an identity of %d bytes: %w", len(ref.ID), messages.Invalid)
	}
	n := strconv.FormatUint(l.spawned.Add(1), 36)
	g := &grain{node: l.node, kind: k, ref: ref, activation: l.node.prefix() + n, unread: k.begins(c)}
	g.epoch = l.node.hosts.epoch()
	k.live.Add(1)
	l.node.live.Add(1)
	s.next = g
	_, err := l.node.system.Root.SpawnNamed(s.props, ref.String()+"$"+n)
	s.next = nil
	if err != nil {
		k.live.Add(-1)
		l.node.grainGone()
		return nil, fmt.Errorf("activate %v: %w: %w", ref, err, messages.Internal)
	}
	s.grains[ref] = g
	return g, nil
}

// leave takes g out, so that the next message makes a new activation. Unless
// forced it is refused while messages wait for g.
func (l *lookup) leave(g *grain, forced bool) bool {
	s := l.shard(g.ref)
	s.mu.Lock()
	if !forced && g.waiting.Load() > 0 {
		s.mu.Unlock()
		return false
	}
	if s.grains[g.ref] == g {
		delete(s.grains, g.ref)
	}
	s.mu.Unlock()
	if g.ref.Kind == hostKind {
		l.node.hosts.left(g.ref.ID)
	}
	return true
}

// close refuses new grains and returns those that live.
func (l *lookup) close() (all []*grain) {
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		s.closed = true
		for _, g := range s.grains {
			all = append(all, g)
		}
		s.mu.Unlock()
	}
	return all
}

// expel takes out every grain that which picks, under the mark; the caller has to
// tell them. No new ones of the kind can come, if it has seen to it before.
func (l *lookup) expel(mark uint32, which func(actors.Ref) bool) (out []*grain) {
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		for ref, g := range s.grains {
			if which(ref) {
				delete(s.grains, ref)
				if g.expelled.Swap(mark) == 0 {
					l.node.releases.add(1)
				}
				out = append(out, g)
			}
		}
		s.mu.Unlock()
	}
	return out
}

// active says whether a grain is in memory.
func (l *lookup) active(ref actors.Ref) bool {
	s := l.shard(ref)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.grains[ref] != nil
}

// idle returns the grains that nobody has spoken to since the given epoch.
func (l *lookup) idle(since uint32) (found []*grain) {
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.RLock()
		for _, g := range s.grains {
			if g.used.Load() <= since && g.waiting.Load() == 0 {
				found = append(found, g)
			}
		}
		s.mu.RUnlock()
	}
	return found
}
