package cluster

import (
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
)

const (
	maxIdleWorkers = 256
	// throughput is how many messages of one mailbox are handled before others
	// get a chance.
	throughput = 300
)

// workers runs mailboxes on goroutines that are used again. A new goroutine for
// every burst of messages, protoactor's default, spends half its time growing
// its stack.
type workers struct {
	work chan func()
	done chan struct{}
	idle atomic.Int32
}

var _ actor.Dispatcher = (*workers)(nil)

func newWorkers() *workers {
	return &workers{work: make(chan func()), done: make(chan struct{})}
}

// Schedule is actor.Dispatcher's. It never waits for a busy worker: a mailbox
// may be reading the store.
func (w *workers) Schedule(fn func()) {
	select {
	case w.work <- fn:
	default:
		go w.run(fn)
	}
}

// Throughput is actor.Dispatcher's.
func (w *workers) Throughput() int { return throughput }

func (w *workers) run(fn func()) {
	for {
		fn()
		if w.idle.Add(1) > maxIdleWorkers {
			w.idle.Add(-1)
			return
		}
		select {
		case fn = <-w.work:
			w.idle.Add(-1)
		case <-w.done:
			return
		}
	}
}

func (w *workers) stop() { close(w.done) }
