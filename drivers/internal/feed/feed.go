// Package feed owns how a driver tells its watchers of events: in order, without
// ever making the driver wait, and without a goroutine while nobody is behind.
// It does not know what the events mean.
package feed

import (
	"context"
	"slices"
	"sync"

	"github.com/troupe-cloud/troupe/drivers"
)

// Limits of what waits for a slow watcher. A backlog that grows beyond maxBacklog
// is thrown away and replaced by Lost and Connected, after which the watcher
// lists the domains anyway.
const (
	buffer     = 4
	maxBacklog = 4096
)

// Feed is the watchers of one driver. The zero Feed is not connected.
type Feed struct {
	mu        sync.Mutex
	watchers  []*watcher
	connected bool
}

// watcher is one Watch. It has a goroutine only while its channel is full.
type watcher struct {
	mu      sync.Mutex
	out     chan drivers.Event
	backlog []drivers.Event
	pumping bool
	done    <-chan struct{}
	closed  bool
}

// Watch hands out the events from now on; Connected comes first, at once if the
// driver is connected. The channel is closed when ctx ends.
func (f *Feed) Watch(ctx context.Context) <-chan drivers.Event {
	w := &watcher{out: make(chan drivers.Event, buffer), done: ctx.Done()}
	f.mu.Lock()
	f.watchers = append(f.watchers, w)
	if f.connected {
		w.send(drivers.Event{Kind: drivers.Connected})
	}
	f.mu.Unlock()
	context.AfterFunc(ctx, func() {
		f.mu.Lock()
		f.watchers = slices.DeleteFunc(f.watchers, func(o *watcher) bool { return o == w })
		f.mu.Unlock()
		w.close()
	})
	return w.out
}

// Connected tells that the driver has its connection (again).
func (f *Feed) Connected() { f.switchTo(true, drivers.Event{Kind: drivers.Connected}) }

// Lost tells that the connection is gone. Until Connected nothing else is told.
func (f *Feed) Lost(reason string) {
	f.switchTo(false, drivers.Event{Kind: drivers.Lost, Reason: reason})
}

func (f *Feed) switchTo(connected bool, e drivers.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.connected != connected {
		f.connected = connected
		f.tell(e)
	}
}

// Emit tells every watcher, if there is a connection.
func (f *Feed) Emit(e drivers.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.connected {
		f.tell(e)
	}
}

func (f *Feed) tell(e drivers.Event) {
	for _, w := range f.watchers {
		w.send(e)
	}
}

func (w *watcher) send(e drivers.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	if !w.pumping {
		select {
		case w.out <- e:
			return
		default:
		}
		w.pumping = true
		go w.pump()
	}
	if w.backlog = append(w.backlog, e); len(w.backlog) > maxBacklog {
		w.backlog = []drivers.Event{{Kind: drivers.Lost, Reason: "too many events waited"}}
		if e.Kind != drivers.Lost {
			w.backlog = append(w.backlog, drivers.Event{Kind: drivers.Connected})
		}
	}
}

// pump empties the backlog, then ends.
func (w *watcher) pump() {
	for {
		w.mu.Lock()
		if len(w.backlog) == 0 {
			w.pumping, w.backlog = false, nil
			if w.closed {
				close(w.out)
			}
			w.mu.Unlock()
			return
		}
		e := w.backlog[0]
		w.backlog = w.backlog[1:]
		w.mu.Unlock()
		select {
		case w.out <- e:
		case <-w.done:
		}
	}
}

func (w *watcher) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed, w.backlog = true, nil
	if !w.pumping {
		close(w.out)
	}
}
