package sim

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
	watchBuffer = 4
	maxBacklog  = 4096
)

// watcher is one Watch. It has no goroutine unless its channel is full.
type watcher struct {
	mu      sync.Mutex
	out     chan drivers.Event
	backlog []drivers.Event
	pumping bool
	done    <-chan struct{}
	closed  bool
}

// Watch reports changes until ctx ends; Connected comes first.
func (d *Driver) Watch(ctx context.Context) <-chan drivers.Event {
	w := &watcher{out: make(chan drivers.Event, watchBuffer), done: ctx.Done()}
	d.mu.Lock()
	d.watchers = append(d.watchers, w)
	if !d.lost {
		w.send(drivers.Event{Kind: drivers.Connected})
	}
	d.mu.Unlock()
	context.AfterFunc(ctx, func() {
		d.mu.Lock()
		d.watchers = slices.DeleteFunc(d.watchers, func(o *watcher) bool { return o == w })
		d.mu.Unlock()
		w.close()
	})
	return w.out
}

// emit tells every watcher, if there is a connection. Called with mu held.
func (d *Driver) emit(e drivers.Event) {
	if !d.lost {
		d.emitAlways(e)
	}
}

func (d *Driver) emitAlways(e drivers.Event) {
	for _, w := range d.watchers {
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
