package consul

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/troupe-cloud/troupe/cluster/store"
	"github.com/troupe-cloud/troupe/messages"
)

const (
	watchWait    = 10 * time.Second // of one blocking query
	watchTimeout = 12 * time.Second // Consul adds a sixteenth to its wait
)

// watches are the blocking queries, one for each prefix however many watch it,
// and only while somebody does.
type watches struct {
	mu sync.Mutex
	by map[string]*watch
}

type watch struct {
	index   uint64        // as last seen
	resets  int           // how often it went backwards: Consul was wiped
	changed chan struct{} // closed with each change of the above
	waiters int
	stop    context.CancelFunc
}

func (w *watches) init() { w.by = map[string]*watch{} }

// Watch is store.Watcher's. While Consul cannot be reached it waits; it tries
// again within half a second.
func (s *Store) Watch(ctx context.Context, prefix string, since uint64) (uint64, error) {
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	name := s.name(prefix)
	if since == 0 {
		return s.watchNow(ctx, name)
	}
	w, err := s.joinWatch(name, since)
	if err != nil {
		return 0, err
	}
	m := &s.watching
	m.mu.Lock()
	defer m.mu.Unlock()
	defer func() {
		if w.waiters--; w.waiters == 0 {
			w.stop()
			delete(m.by, name)
		}
	}()
	resets := w.resets
	for w.index <= since && w.resets == resets {
		changed := w.changed
		m.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		case <-s.open.Done():
		}
		m.mu.Lock()
		if s.open.Err() != nil {
			return 0, store.ErrClosed
		}
		if ctx.Err() != nil {
			return 0, fmt.Errorf("watch: %w: %w", ctx.Err(), messages.Unavailable)
		}
	}
	return max(w.index, 1), nil
}

func (s *Store) watchNow(ctx context.Context, name string) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Patience)
	defer cancel()
	for try := 0; ; try++ {
		index, err := s.indexOf(ctx, name, 0)
		if err == nil {
			return index, nil
		}
		if classify(err) == faultFinal || !pause(ctx, try) {
			return 0, explain(err)
		}
	}
}

// joinWatch finds or begins the watch of name and counts the caller in.
func (s *Store) joinWatch(name string, since uint64) (*watch, error) {
	s.mu.RLock() // Close must not begin between the look and the goroutine
	defer s.mu.RUnlock()
	m := &s.watching
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.open.Err() != nil {
		return nil, store.ErrClosed
	}
	w := m.by[name]
	if w == nil {
		if len(m.by) >= store.MaxWatched {
			return nil, fmt.Errorf("%d prefixes are watched already: %w", store.MaxWatched, messages.Exhausted)
		}
		w = &watch{index: since, changed: make(chan struct{})}
		var ctx context.Context
		ctx, w.stop = context.WithCancel(s.open)
		m.by[name] = w
		s.tasks.Go(func() { s.follow(ctx, name, w) })
	}
	w.waiters++
	return w, nil
}

// follow asks Consul again and again until ctx ends.
func (s *Store) follow(ctx context.Context, name string, w *watch) {
	m := &s.watching
	m.mu.Lock()
	at := w.index
	m.mu.Unlock()
	for try := 0; ctx.Err() == nil; {
		index, err := s.indexOf(ctx, name, at)
		if err != nil {
			try++
			if ctx.Err() == nil {
				s.transport.move()
			}
			pause(ctx, try)
			continue
		}
		try = 0
		if index == at {
			continue
		}
		m.mu.Lock()
		if index < at {
			w.resets++
		}
		at, w.index = index, index
		close(w.changed)
		w.changed = make(chan struct{})
		m.mu.Unlock()
	}
}

// indexOf is Consul's index of what lies under name; with since it waits for
// another. It reads no names: there may be many.
func (s *Store) indexOf(ctx context.Context, name string, since uint64) (uint64, error) {
	query, timeout := "?keys&separator=/", attemptTimeout
	if since != 0 {
		query += fmt.Sprintf("&index=%d&wait=%s", since, watchWait)
		timeout = watchTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	resp, err := s.getKeys(ctx, name, query)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	index, err := strconv.ParseUint(resp.Header.Get("X-Consul-Index"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errNoNames, err)
	}
	return max(index, 1), nil
}

// getKeys asks for entries or their names. It does not use Consul's client, which reads an answer to its end however
// long it is. An answer is 200 or 404; others are errors.
func (s *Store) getKeys(ctx context.Context, name, query string) (*http.Response, error) {
	// Escaped whole: a server that sees the slashes of "a//b" or "a/../b" sends
	// its client elsewhere.
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.transport.base+"/v1/kv/"+url.PathEscape(name)+query, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoNames, err)
	}
	if s.transport.token != "" {
		r.Header.Set("X-Consul-Token", s.transport.token)
	}
	resp, err := s.transport.RoundTrip(r)
	if err != nil || resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusNotFound {
		return resp, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorText))
	if err != nil {
		return nil, err
	}
	return nil, api.StatusError{Code: resp.StatusCode, Body: string(text)}
}
