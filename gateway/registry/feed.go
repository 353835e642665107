package registry

import (
	"context"
	"sync"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/watch"
	"github.com/troupe-cloud/troupe/messages"
)

// feed is the watch of one service or key.
type feed struct {
	feeds  *Feeds
	ref    actors.Ref
	cancel context.CancelFunc
	first  chan struct{} // closed when there is a state

	mu        sync.Mutex
	listeners []*Subscription
	state     *State
	idleSince time.Time // zero: somebody listens

	fan []*Subscription // of the running goroutine: who is told now
}

func (d *feed) join(s *Subscription) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.place = len(d.listeners)
	d.listeners = append(d.listeners, s)
	d.idleSince = time.Time{}
}

// leave says whether s was there.
func (d *feed) leave(s *Subscription) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.place < 0 {
		return false
	}
	last := len(d.listeners) - 1
	d.listeners[s.place] = d.listeners[last]
	d.listeners[s.place].place = s.place
	d.listeners[last] = nil
	d.listeners = d.listeners[:last]
	s.place = -1
	if last == 0 {
		d.idleSince, d.listeners = time.Now(), nil
	}
	return true
}

// idle says whether nobody has listened for long enough. Called under feeds.mu,
// so that nobody joins meanwhile.
func (d *feed) idle(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.idleSince.IsZero() && now.Sub(d.idleSince) >= linger
}

func (d *feed) clients() []Client {
	d.mu.Lock()
	listeners := append([]*Subscription(nil), d.listeners...)
	d.mu.Unlock()
	all := make([]Client, len(listeners))
	for i, s := range listeners {
		all[i] = s.listener.Client()
	}
	return all
}

// run tells the states that come: the first after a rest at once, those of a
// storm merged.
func (d *feed) run(ctx context.Context, changes <-chan watch.Change) {
	defer d.cancel()
	var (
		told    time.Time
		waiting *watch.Change
		timer   *time.Timer
		due     <-chan time.Time
	)
	for {
		select {
		case c, ok := <-changes:
			if !ok {
				return
			}
			if rest := mergeTime - time.Since(told); !told.IsZero() && rest > 0 {
				waiting = &c
				if due == nil {
					timer = time.NewTimer(rest)
					due = timer.C
				}
				continue
			}
			waiting = &c
		case <-due:
			due = nil
		case <-ctx.Done():
			if timer != nil {
				timer.Stop()
			}
			return
		}
		if waiting != nil && d.tell(*waiting) {
			told = time.Now()
		}
		waiting = nil
	}
}

// tell makes a change the feed's state and lets everybody hear it; false if
// nothing can be said of it.
func (d *feed) tell(c watch.Change) bool {
	if c.Err != nil && messages.KindOf(c.Err) != messages.ErrorKind_ERROR_KIND_NOT_FOUND {
		return false // it goes on as it was last seen
	}
	d.mu.Lock()
	was := d.state
	if was.shows(c) {
		d.mu.Unlock()
		return false // what is stored was written anew, and nothing in it that could be seen
	}
	s := next(was, d.ref, c, time.Now())
	d.state = s
	d.fan = append(d.fan[:0], d.listeners...)
	d.mu.Unlock()
	if was == nil {
		close(d.first)
	}
	for _, l := range d.fan {
		l.listener.Hear(l, s)
	}
	clear(d.fan)
	return true
}
