package order

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/flavor"
	"github.com/troupe-cloud/troupe/actors/image"
	"github.com/troupe-cloud/troupe/actors/network"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/messages"
)

// Limits of a Memory.
const (
	// MaxAge is how old what is remembered may be.
	MaxAge = time.Second
	// renewAge is from when on one who asks reads anew, while the others still go by
	// what is remembered: else all who ask would stand before the store at once.
	renewAge = MaxAge / 2
	// maxRemembered is how much is remembered; with more all of it is forgotten.
	maxRemembered = 4096
)

// Memory is a Cloud that remembers what orders of servers refer to: flavors, images
// and the one network of a project, each as one caller may see it. A thousand orders
// a second then read the store, and ask other nodes, a few times.
//
// Whoever changes such a thing through a Memory is answered when no node remembers
// it as it was: each was told and has forgotten, or MaxAge has passed, within which
// everything is forgotten anyhow. A change that goes past all of them (of a program
// that speaks to the actors itself) is seen at most MaxAge later. What is not there
// is never remembered. Safe for concurrent use.
type Memory struct {
	Cloud
	nodes nodes // nil: there is none but this one

	mu    sync.Mutex
	era   uint64 // how often all was forgotten
	known map[subject]*memo
}

// nodes are all of a cloud, as a *cluster.Client reaches them.
type nodes interface {
	Everywhere(ctx context.Context, question proto.Message) []cluster.NodeAnswer
	Answer(question proto.Message, f cluster.Answerer)
}

var _ nodes = (*cluster.Client)(nil)

// subject is what is remembered, and of whose sight: a scope, or a project.
type subject struct{ kind, id, of string }

// memo is what was read of a subject.
type memo struct {
	value    proto.Message
	at       time.Time // when reading it began
	renewing bool      // by one of those who ask
}

// Remember makes the Memory of this node.
func Remember(cloud Cloud) *Memory {
	m := &Memory{Cloud: cloud}
	if all, ok := cloud.(nodes); ok {
		m.nodes = all
		all.Answer(&messages.ReferencesChanged{}, func(context.Context, proto.Message) (proto.Message, error) {
			m.forget()
			return &messages.Done{}, nil
		})
	}
	return m
}

// Ask is the Cloud's. A command to what may be remembered is answered when it is
// remembered nowhere, also if it failed: it may have been done all the same.
func (m *Memory) Ask(ctx context.Context, to actors.Ref, what proto.Message) (proto.Message, error) {
	answer, err := m.Cloud.Ask(ctx, to, what)
	if changes(to, what) {
		m.forgetEverywhere(ctx)
	}
	return answer, err
}

// ListAll makes several lists one journey, if the Cloud can.
func (m *Memory) ListAll(ctx context.Context, prefixes ...string) ([]actors.Entry, error) {
	return below(ctx, m.Cloud, prefixes...)
}

// changes says whether a message may change what is remembered. Of a network that is
// what it is, not its ports.
func changes(to actors.Ref, what proto.Message) bool {
	switch to.Kind {
	case flavor.Kind, image.Kind:
		return !messages.IsQuery(what)
	case network.Kind:
		switch what.(type) {
		case *messages.CreateNetwork, *messages.UpdateNetwork, *messages.DeleteNetwork,
			*messages.CreateSubnet, *messages.UpdateSubnet, *messages.DeleteSubnet:
			return true
		}
	}
	return false
}

func (m *Memory) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.era++
	m.known = nil
}

// forgetEverywhere waits, even for who has hung up, until every node has forgotten.
// One that does not say so has after MaxAge; one of an earlier version that does not
// know the question remembers nothing.
func (m *Memory) forgetEverywhere(ctx context.Context) {
	m.forget()
	if m.nodes == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), MaxAge)
	defer cancel()
	for _, a := range m.nodes.Everywhere(ctx, &messages.ReferencesChanged{}) {
		if a.Err != nil && messages.KindOf(a.Err) != messages.ErrorKind_ERROR_KIND_INVALID {
			<-ctx.Done()
			return
		}
	}
}

// recall is what cloud's Memory has of s; else what read finds, which is remembered
// if it is not nil. A Cloud that is no Memory is read each time.
func recall[T interface {
	comparable
	proto.Message
}](cloud Cloud, s subject, read func(Cloud) (T, error)) (T, error) {
	m, ok := cloud.(*Memory)
	if !ok {
		return read(cloud)
	}
	now := time.Now()
	known, era := m.find(s, now)
	if known != nil {
		return known.value.(T), nil
	}
	value, err := read(m.Cloud)
	var none T
	m.note(s, &memo{value: value, at: now}, era, err == nil && value != none)
	return value, err
}

// find is what is remembered of s; nil if it has to be read.
func (m *Memory) find(s subject, now time.Time) (_ *memo, era uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.known[s]
	if known == nil {
		return nil, m.era
	}
	age := now.Sub(known.at)
	if age >= MaxAge || age >= renewAge && !known.renewing {
		known.renewing = true
		return nil, m.era
	}
	return known, m.era
}

// note remembers what was read of s since era, or that there is nothing to remember.
func (m *Memory) note(s subject, what *memo, era uint64, found bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.era != era { // what was read may be what has changed since
		return
	}
	if !found {
		delete(m.known, s)
		return
	}
	if m.known == nil || len(m.known) >= maxRemembered {
		m.known = map[subject]*memo{}
	}
	if known := m.known[s]; known == nil || known.at.Before(what.at) {
		m.known[s] = what
	}
}
