package cluster

import (
	"runtime"
	"sync"
	"time"

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
// let everybody else go first after each, and which stand back for a while when more
// mailboxes run at once than there are cores: so many builds, reports and wake-ups as
// there may be to do, who asks meanwhile does not queue behind them. All of them
// make progress, because Go looks at who has stepped back every few turns, and because
// courtesy runs out.
type workers struct {
	turns int // goroutines that take turns at most
	cores int

	mu       sync.Mutex
	idle     []chan *mailbox // of those who wait for work
	stopped  bool
	urgent   int // mailboxes that run at once, or are about to
	taking   int // goroutines that take turns
	behind   queue[*mailbox]
	courtesy courtesy
	again    *time.Timer // takes turns again when courtesy has run out
}

func newWorkers() *workers {
	w := &workers{turns: 2 * runtime.NumCPU(), cores: runtime.NumCPU()}
	w.again = time.AfterFunc(time.Hour, w.resume)
	w.again.Stop()
	return w
}

// mailbox is actor.MailboxProducer.
func (w *workers) mailbox() actor.Mailbox { return &mailbox{workers: w} }

// ahead runs a mailbox at once. It never waits for a busy worker: a mailbox may be
// reading the store.
func (w *workers) ahead(m *mailbox) {
	w.mu.Lock()
	w.urgent++
	w.start(m)
}

// start has an idle worker run m, or a new one; nil takes turns. Who has become idle
// last is first to work again: his stack is still in the processor's cache, and of few
// who work there are fewer whom Go has help with a collection, as it does with each who
// allocates during one. Called under mu, which it releases.
func (w *workers) start(m *mailbox) {
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
	w.startTaking()
}

// resume takes turns if there is any to take.
func (w *workers) resume() {
	w.mu.Lock()
	w.startTaking()
}

// startTaking has one more worker take turns, if that is called for. Called under mu,
// which it releases.
func (w *workers) startTaking() {
	if w.mayTake() {
		w.start(nil)
		return
	}
	w.mu.Unlock()
}

// mayTake counts one more who takes turns, if there should be one. Under mu.
func (w *workers) mayTake() bool {
	if w.behind.size == 0 || w.taking >= w.turns || w.standsBack() {
		return false
	}
	w.taking++
	return true
}

// standsBack says whether nobody should take a turn now. Under mu.
func (w *workers) standsBack() bool {
	wish := w.urgent >= w.cores && w.behind.size < courtesyBacklog
	before := w.courtesy.shown
	if !wish && !before {
		return false
	}
	left, shown := w.courtesy.show(time.Now(), wish)
	if shown && !before {
		w.again.Reset(left)
	}
	return shown
}

func (w *workers) run(m *mailbox) {
	work := make(chan *mailbox, 1)
	for {
		if m != nil {
			m.run()
		}
		if m == nil || w.ran() {
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

// ran counts a mailbox as done that ran at once. True: the worker is to take turns.
func (w *workers) ran() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.urgent--
	return w.mayTake()
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

// takeTurns runs mailboxes for which nobody waits until there is none, or until it is
// time to stand back.
func (w *workers) takeTurns() {
	for {
		m, ok := w.turn()
		if !ok {
			return
		}
		m.turn()
		runtime.Gosched() // to the end of the queue that is looked at last
	}
}

// turn is whose turn it is. False: somebody who takes turns is to do no more. Who has
// begun again calls the others.
func (w *workers) turn() (*mailbox, bool) {
	var m *mailbox
	var ok bool
	w.mu.Lock()
	if !w.standsBack() {
		m, ok = w.behind.pop()
	}
	if !ok {
		w.taking--
		w.mu.Unlock()
		return nil, false
	}
	w.startTaking()
	return m, true
}

// stop sends those away who wait for work, now and later.
func (w *workers) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.again.Stop()
	for _, work := range w.idle {
		close(work)
	}
	w.idle = nil
}
