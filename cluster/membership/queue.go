package membership

import (
	"context"
	"sync"
)

// queue calls functions one after the other, outside of every lock. There is one
// for each view at most, so it has no limit of its own.
type queue struct {
	mu    sync.Mutex
	calls []func()
	more  chan struct{}
}

func (q *queue) init() { q.more = make(chan struct{}, 1) }

func (q *queue) add(call func()) {
	q.mu.Lock()
	q.calls = append(q.calls, call)
	q.mu.Unlock()
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// run works until ctx ends; what waits then is not called any more.
func (q *queue) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-q.more:
		}
		q.mu.Lock()
		calls := q.calls
		q.calls = nil
		q.mu.Unlock()
		for _, call := range calls {
			call()
		}
	}
}
