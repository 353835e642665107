package store

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/troupe-cloud/troupe/messages"
)

// MaxWatched is how many prefixes are watched at once; more are refused as
// Exhausted.
const MaxWatched = 64

// Watcher is a Store that tells when something has changed.
type Watcher interface {
	// Watch returns once a key with prefix has been written or deleted after the
	// moment `since`, which an earlier Watch of this process and prefix returned; at
	// once if since is 0. It may return although nothing has changed. What a List
	// begun afterwards shows is at least as new as now. Errors wrap Unavailable
	// (ctx has ended, the store is closed or cannot be reached) or Exhausted.
	Watch(ctx context.Context, prefix string, since uint64) (now uint64, err error)
}

// Feed is the watching for stores whose every commit passes through this
// process. The zero Feed is ready.
type Feed struct {
	mu      sync.Mutex
	moment  uint64
	watched map[string]*watched
	closed  bool
}

type watched struct {
	changed uint64 // the moment
	wake    chan struct{}
	waiters int
}

// Changed tells that writes have become visible. It is cheap while nobody watches.
func (f *Feed) Changed(writes []Write) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.watched) == 0 {
		return
	}
	f.moment++
	for prefix, w := range f.watched {
		for _, write := range writes {
			if strings.HasPrefix(write.Key, prefix) {
				w.changed = f.moment
				close(w.wake)
				w.wake = make(chan struct{})
				break
			}
		}
	}
}

// Close ends every Watch with ErrClosed.
func (f *Feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for _, w := range f.watched {
		close(w.wake)
		w.wake = make(chan struct{})
	}
}

// Watch is Watcher's.
func (f *Feed) Watch(ctx context.Context, prefix string, since uint64) (now uint64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w, err := f.enter(prefix)
	if err != nil {
		return 0, err
	}
	w.waiters++
	defer func() { w.waiters-- }()
	for since != 0 && w.changed <= since {
		if f.closed {
			return 0, ErrClosed
		}
		wake := w.wake
		f.mu.Unlock()
		select {
		case <-wake:
		case <-ctx.Done():
		}
		f.mu.Lock()
		if ctx.Err() != nil {
			return 0, fmt.Errorf("watch: %w: %w", ctx.Err(), messages.Unavailable)
		}
	}
	if f.closed {
		return 0, ErrClosed
	}
	return f.moment, nil
}

// enter finds the entry of prefix or makes it, in place of one that nobody waits
// on if there are too many: its watchers will look once too often.
func (f *Feed) enter(prefix string) (*watched, error) {
	if w := f.watched[prefix]; w != nil {
		return w, nil
	}
	for other, w := range f.watched {
		if len(f.watched) >= MaxWatched && w.waiters == 0 {
			delete(f.watched, other)
		}
	}
	if len(f.watched) >= MaxWatched {
		return nil, fmt.Errorf("%d prefixes are watched already: %w", MaxWatched, messages.Exhausted)
	}
	if f.watched == nil {
		f.watched = map[string]*watched{}
	}
	// A moment of its own: whoever watched before it was forgotten looks again.
	f.moment++
	w := &watched{changed: f.moment, wake: make(chan struct{})}
	f.watched[prefix] = w
	return w, nil
}
