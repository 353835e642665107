package registry

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/messages"
)

// Beats brings beats of endpoints to their services: alone and at once where
// beats are few; those that come while others are under way go together. Safe
// for concurrent use.
type Beats struct {
	cloud cluster.Asker

	mu    sync.Mutex
	lanes map[actors.Ref]*beats // of services with beats under way: those that wait
}

// NewBeats needs no end: every batch is bounded in time.
func NewBeats(cloud cluster.Asker) *Beats {
	return &Beats{cloud: cloud, lanes: map[actors.Ref]*beats{}}
}

// Beat is what a service says to a beat.
type Beat struct {
	Known    bool          // false: it has to register first
	Interval time.Duration // after which it should beat again; of a known one
}

// beats is one batch.
type beats struct {
	keys []*messages.EndpointKey
	done chan struct{}
	got  *messages.EndpointsRenewed
	err  error
}

// Renew brings one beat and waits for the answer. A service that does not exist
// knows no endpoint; that is no error. Unavailable: try again.
func (b *Beats) Renew(ctx context.Context, service actors.Ref, key *messages.EndpointKey) (Beat, error) {
	batch, place := b.join(service, key)
	select {
	case <-batch.done:
		return batch.beat(place)
	case <-ctx.Done():
		return Beat{}, fmt.Errorf("%v did not take a beat in time: %w", service, messages.Unavailable)
	}
}

// join puts a beat into the batch that waits; if none is under way, it goes.
func (b *Beats) join(service actors.Ref, key *messages.EndpointKey) (*beats, int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	waiting, busy := b.lanes[service]
	if !busy {
		first := &beats{keys: []*messages.EndpointKey{key}, done: make(chan struct{})}
		b.lanes[service] = nil
		go b.run(service, first)
		return first, 0
	}
	if waiting == nil {
		waiting = &beats{done: make(chan struct{})}
		b.lanes[service] = waiting
	}
	waiting.keys = append(waiting.keys, key)
	return waiting, len(waiting.keys) - 1
}

// run sends batches until none waits.
func (b *Beats) run(service actors.Ref, batch *beats) {
	for batch != nil {
		b.send(service, batch)
		close(batch.done)
		b.mu.Lock()
		if batch = b.lanes[service]; batch != nil {
			b.lanes[service] = nil
		} else {
			delete(b.lanes, service)
		}
		b.mu.Unlock()
	}
}

func (b *Beats) send(service actors.Ref, batch *beats) {
	ctx, cancel := context.WithTimeout(context.Background(), beatTime)
	defer cancel()
	all := &messages.EndpointsRenewed{}
	for from := 0; from < len(batch.keys) && batch.err == nil; from += beatBatch {
		keys := batch.keys[from:min(from+beatBatch, len(batch.keys))]
		got, err := cluster.Ask[*messages.EndpointsRenewed](ctx, b.cloud, service, &messages.RenewEndpoints{Keys: keys})
		switch {
		case messages.KindOf(err) == messages.ErrorKind_ERROR_KIND_NOT_FOUND:
			got = nobody(len(keys))
		case err != nil:
			batch.err = err
			return
		}
		if len(batch.keys) <= beatBatch {
			batch.got = got
			return
		}
		for _, u := range got.GetUnknown() {
			all.Unknown = append(all.Unknown, u+int32(from))
		}
		all.IntervalMs = append(all.IntervalMs, got.GetIntervalMs()...)
	}
	batch.got = all
}

// nobody is the answer of a service that there is not.
func nobody(keys int) *messages.EndpointsRenewed {
	all := &messages.EndpointsRenewed{IntervalMs: make([]int64, keys)}
	for i := range keys {
		all.Unknown = append(all.Unknown, int32(i))
	}
	return all
}

func (b *beats) beat(place int) (Beat, error) {
	if b.err != nil {
		return Beat{}, b.err
	}
	if _, unknown := slices.BinarySearch(b.got.GetUnknown(), int32(place)); unknown { // they ascend
		return Beat{}, nil
	}
	beat := Beat{Known: true}
	if at := b.got.GetIntervalMs(); place < len(at) {
		beat.Interval = time.Duration(at[place]) * time.Millisecond
	}
	return beat, nil
}
