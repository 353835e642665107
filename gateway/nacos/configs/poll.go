package configs

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/troupe-cloud/troupe/actors/config"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// poll is one request that waits for a change of any of its keys. It has no
// goroutine but that of its request: who brings a change marks the key and wakes it.
type poll struct {
	client config.Client
	agent  string
	app    string
	keys   []polled

	wake chan struct{}

	mu      sync.Mutex
	unknown int // keys whose state has not been seen yet
	changed int // keys of which the client has something else
}

// polled is one key of a poll.
type polled struct {
	probe
	poll *poll
	sub  *registry.Subscription

	// Under poll.mu.
	known, changed bool
	version        int64 // of the contents, as they were last compared
}

// newPoll listens to all keys of a poll. End it.
func (a *API) newPoll(ctx context.Context, probes []probe, client config.Client, agent, app string) (*poll, error) {
	p := &poll{client: client, agent: agent, app: app, keys: make([]polled, len(probes)), wake: make(chan struct{}, 1), unknown: len(probes)}
	var doubtful []*polled
	for i, probe := range probes {
		k := &p.keys[i]
		k.probe, k.poll = probe, p
		sub, err := a.feeds.Subscribe(ref(probe.key()), k)
		if err != nil {
			p.end()
			return nil, err
		}
		k.sub = sub
		s := sub.State()
		switch {
		case s == nil: // k hears of it
		case config.SeenMD5(s.Digest, client) == k.md5:
			k.look(s.Digest)
		default:
			doubtful = append(doubtful, k)
		}
	}
	a.confirm(ctx, doubtful)
	return p, nil
}

// confirm asks the keys themselves where a feed says that a client has something
// else. A feed may be a moment behind, and the client has just fetched what is newer:
// it would be told to fetch that again, over and over for that moment.
func (a *API) confirm(ctx context.Context, doubtful []*polled) {
	var group errgroup.Group
	group.SetLimit(readsAtOnce)
	for _, k := range doubtful {
		group.Go(func() error {
			d, err := cluster.Ask[*messages.ConfigDigest](ctx, a.cloud, k.sub.Ref(), &messages.GetConfigDigest{})
			if err != nil { // then what the feed says has to do
				d = k.sub.State().Digest
			}
			k.look(d)
			return nil
		})
	}
	_ = group.Wait() // none of them fails
}

// end stops listening.
func (p *poll) end() {
	for i := range p.keys {
		if p.keys[i].sub != nil {
			p.keys[i].sub.Cancel()
		}
	}
}

// Hear is called with each state of the key.
func (k *polled) Hear(_ *registry.Subscription, s *registry.State) { k.look(s.Digest) }

// Client says who polls.
func (k *polled) Client() registry.Client {
	return registry.Client{IP: k.poll.client.IP, Agent: k.poll.agent, App: k.poll.app, MD5: k.md5}
}

// look compares what the client has with what it would see. A content that went
// and came back between two looks is a change too: the client may have seen the
// other one. One step of the version alone, with the same content to be seen, is a
// change for others: a gray version.
func (k *polled) look(d *messages.ConfigDigest) {
	sees := config.SeenMD5(d, k.poll.client)
	p := k.poll
	p.mu.Lock()
	defer p.mu.Unlock()
	if k.known && d.GetContentVersion() <= k.version {
		return // it was overtaken
	}
	missed := k.known && d.GetContentVersion() > k.version+1
	k.version = d.GetContentVersion()
	if !k.known {
		k.known = true
		p.unknown--
	}
	if is := sees != k.md5 || missed || k.changed; is != k.changed {
		k.changed = is
		p.changed++
	}
	if p.unknown == 0 || p.changed > 0 {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

// wait returns once all keys have been looked at and one has changed, or when the
// time is over or the client gone. A poll that does not hang waits only for the look.
func (p *poll) wait(ctx context.Context, hang time.Duration, closing <-chan struct{}) {
	limit := hang
	if hang == 0 {
		limit = firstLook
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		p.mu.Lock()
		done := p.unknown == 0 && (p.changed > 0 || hang == 0)
		p.mu.Unlock()
		if done {
			return
		}
		select {
		case <-p.wake:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		case <-closing:
			return
		}
	}
}

// differing are the keys of which the client has something else, and whether all
// were looked at.
func (p *poll) differing() (changed []probe, all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.keys {
		if p.keys[i].changed {
			changed = append(changed, p.keys[i].probe)
		}
	}
	return changed, p.unknown == 0
}
