package cluster

import (
	"runtime"
	"sync"

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
	turns int // goroutines that take turns at most

	mu      sync.Mutex
	idle    []chan *mailbox // of those who wait for work
	stopped bool
	taking  int // goroutines that take turns
	behind  queue[*mailbox]
}

func newWorkers() *workers {
	return &workers{turns: 2 * runtime.NumCPU()}
}

// mailbox is actor.MailboxProducer.
func (w *workers) mailbox() actor.Mailbox { return &mailbox{workers: w} }

// ahead runs a mailbox at once; nil takes turns. It never waits for a busy worker: a
// mailbox may be reading the store. Who has become idle last is first to work again:
// his stack is still in the processor's cache, and of few who work there are
// fewer whom Go has help with a collection, as it does with each who allocates during one.
func (w *workers) ahead(m *mailbox) {
	w.mu.Lock()
	last := len(w.idle) - 1
	if last < 0 {
		w.mu.Unlock()
		go w.run(m)
		return
	}
	work := w.idle[last]
	w.idle = w.idle[:last]
	w.mu.Unlock()
	work <- m
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
	work := make(chan *mailbox, 1)
	for {
		if m != nil {
			m.run()
		} else {
			w.takeTurns()
		}
		if !w.rest(work) {
			return
		}
		var more bool
		if m, more = <-work; !more {
			return
		}
	}
}

// rest has somebody wait for work. False: enough do.
func (w *workers) rest(work chan *mailbox) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped || len(w.idle) >= maxIdleWorkers {
		return false
	}
	w.idle = append(w.idle, work)
	return true
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

// stop sends those away who wait for work, now and later.
func (w *workers) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	for _, work := range w.idle {
		close(work)
	}
	w.idle = nil
}
