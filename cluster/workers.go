package cluster

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
)

const (
	maxIdleWorkers = 256
	// aheadBurst is how many messages of one mailbox are handled before other
	// goroutines get a chance.
	aheadBurst = 64
	// behindBurst is that for messages nobody waits for: it bounds what somebody for
	// whom a processor is needed waits for one.
	behindBurst = 8
)

// workers runs mailboxes on goroutines that are used again. A new goroutine for
// every burst of messages, protoactor's default, spends half its time growing
// its stack.
//
// A mailbox with a message that somebody waits for runs at once, whatever else does,
// for it may wait for the store, too. The others take turns on a few goroutines, which
// let everybody else go first after each: so many builds, reports and wake-ups as there
// may be to do, who asks meanwhile does not queue behind them. All of them
// make progress, because Go looks at who has stepped back every few turns.
type workers struct {
	work  chan *mailbox // nil in it: take turns
	done  chan struct{}
	turns int // goroutines that take turns at most

	idle atomic.Int32

	mu     sync.Mutex
	taking int // goroutines that take turns
	behind queue[*mailbox]
}

func newWorkers() *workers {
	return &workers{work: make(chan *mailbox), done: make(chan struct{}), turns: 2 * runtime.NumCPU()}
}

// mailbox is actor.MailboxProducer.
func (w *workers) mailbox() actor.Mailbox { return &mailbox{workers: w} }

// ahead runs a mailbox at once. It never waits for a busy worker: a mailbox may be
// reading the store.
func (w *workers) ahead(m *mailbox) {
	select {
	case w.work <- m:
	default:
		go w.run(m)
	}
}

// later runs a mailbox when it is its turn.
func (w *workers) later(m *mailbox) {
	w.mu.Lock()
	w.behind.push(m)
	more := w.taking < w.turns
	if more {
		w.taking++
	}
	w.mu.Unlock()
	if more {
		w.ahead(nil)
	}
}

func (w *workers) run(m *mailbox) {
	for {
		if m != nil {
			m.run()
		} else {
			w.takeTurns()
		}
		if w.idle.Add(1) > maxIdleWorkers {
			w.idle.Add(-1)
			return
		}
		select {
		case m = <-w.work:
			w.idle.Add(-1)
		case <-w.done:
			return
		}
	}
}

// takeTurns runs mailboxes for which nobody waits until there is none.
func (w *workers) takeTurns() {
	for {
		w.mu.Lock()
		m, ok := w.behind.pop()
		if !ok {
			w.taking--
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
		m.turn()
		runtime.Gosched() // to the end of the queue that is looked at last
	}
}

func (w *workers) stop() { close(w.done) }
