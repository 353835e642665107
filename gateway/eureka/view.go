package eureka

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/registry"
	"github.com/troupe-cloud/troupe/messages"
)

// view is one group of the registry as Eureka sees it, kept up to date by feeds: a
// change costs what has changed, and who asks looks only here.
type view struct {
	feeds            *registry.Feeds
	names            *registry.Names
	namespace, group string
	log              zerolog.Logger
	now              func() time.Time

	mu       sync.Mutex
	version  uint64
	sources  map[string]*source
	apps     map[string]*app
	ordered  []string // names of apps; nil: not since one came or went
	services []string // names of sources, likewise
	ids      index
	vips     index
	svips    index
	counts   map[string]int // instances by status
	leases   int            // of instances that are registered here
	missed   map[*entry]struct{}
	recent   recent
	waiting  int           // sources of the beginning that have not been heard of
	whole    chan struct{} // closed when none is left; nil: nobody has asked yet
	stop     func()
	changed  chan struct{} // closed with the next change; nil: nobody waits
	closed   bool
}

// index finds entries by a word.
type index map[string]map[*entry]struct{}

func (x index) add(word string, e *entry) {
	if x[word] == nil {
		x[word] = map[*entry]struct{}{}
	}
	x[word][e] = struct{}{}
}

func (x index) drop(word string, e *entry) {
	if delete(x[word], e); len(x[word]) == 0 {
		delete(x, word)
	}
}

func newView(c Config) *view {
	return &view{
		feeds: c.Feeds, names: c.Names, namespace: c.Namespace, group: c.Group, log: c.Log, now: c.Now,
		sources: map[string]*source{}, apps: map[string]*app{}, ids: index{}, vips: index{}, svips: index{},
		counts: map[string]int{}, missed: map[*entry]struct{}{}, recent: newRecent(),
	}
}

// ready waits until the view shows all that there is. It begins with the first who
// asks: a cloud without Eureka's clients watches nothing for them.
func (v *view) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	whole, err := v.begin(ctx)
	if err != nil {
		return err
	}
	select {
	case <-whole:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("not all services have been heard of yet: %w", messages.Unavailable)
	}
}

func (v *view) begin(ctx context.Context) (<-chan struct{}, error) {
	v.mu.Lock()
	whole := v.whole
	v.mu.Unlock()
	if whole != nil {
		return whole, nil
	}
	all, stop, err := v.names.Watch(ctx, registry.ServiceKind, v.namespace, v)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.whole != nil || v.closed { // another was quicker
		stop()
		if v.closed {
			return nil, errStopping
		}
		return v.whole, nil
	}
	// One more, so that it is not whole before all have been looked at.
	v.whole, v.stop, v.waiting = make(chan struct{}), stop, 1
	for _, name := range all {
		if name.Group == v.group {
			if err = v.join(name.Name, true); err != nil {
				break
			}
		}
	}
	if err != nil {
		stop()
		v.forget()
		return nil, err
	}
	v.heard()
	return v.whole, nil
}

var errStopping = fmt.Errorf("this gateway is stopping: %w", messages.Unavailable)

// heard counts down to the whole view. Called under v.mu.
func (v *view) heard() {
	if v.waiting--; v.waiting == 0 {
		close(v.whole)
	}
}

// forget makes it a view that has not begun. Called under v.mu.
func (v *view) forget() {
	for _, s := range v.sources {
		s.sub.Cancel()
		s.gone = true
	}
	v.sources, v.apps, v.ordered, v.services = map[string]*source{}, map[string]*app{}, nil, nil
	v.ids, v.vips, v.svips, v.counts = index{}, index{}, index{}, map[string]int{}
	v.missed, v.leases, v.recent, v.whole = map[*entry]struct{}{}, 0, newRecent(), nil
	v.version++
}

// close ends all watching.
func (v *view) close() {
	v.mu.Lock()
	stop := v.stop
	v.closed = true
	v.forget()
	v.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// join begins to listen to a service. Called under v.mu.
func (v *view) join(name string, first bool) error {
	if v.sources[name] != nil {
		v.sources[name].orphan = false
		return nil
	}
	s := &source{view: v, name: name, entries: map[place]*entry{}}
	sub, err := v.feeds.Subscribe(service.Ref(v.namespace, v.group, name), s)
	if err != nil {
		return err
	}
	s.sub = sub
	v.sources[name], v.services = s, nil
	if first {
		s.first = true
		v.waiting++
	}
	if state := sub.State(); state != nil {
		v.apply(s, state)
	}
	return nil
}

// ensure has the view listen to a service of which it may not have heard yet, for it
// has just been changed.
func (v *view) ensure(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed || v.whole == nil {
		return
	}
	if err := v.join(name, false); err != nil {
		v.log.Warn().Str("service", name).Err(err).Msg("a service is not shown to Eureka's clients")
	}
}

// NamesChanged is registry.NamesWatcher's.
func (v *view) NamesChanged(all []registry.NameChange) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed || v.whole == nil {
		return
	}
	for _, c := range all {
		s := v.sources[c.Name.Name]
		switch {
		case c.Group != v.group:
		case c.Added:
			if err := v.join(c.Name.Name, false); err != nil {
				v.log.Warn().Str("service", c.Name.Name).Err(err).Msg("a service is not shown to Eureka's clients")
			}
		case c.Removed && s != nil:
			// The list may be older than what was heard from the service itself.
			if s.orphan = true; len(s.entries) == 0 {
				v.leave(s)
			}
		}
	}
}

// leave ends listening to a service that has nothing. Called under v.mu.
func (v *view) leave(s *source) {
	s.sub.Cancel()
	s.gone = true
	delete(v.sources, s.name)
	v.services = nil
	if s.first {
		s.first = false
		v.heard()
	}
}

// await waits until now is true of the view, but not for long: it then says
// what it knows.
func (v *view) await(ctx context.Context, now func() bool) {
	timer := time.NewTimer(seenTime)
	defer timer.Stop()
	for {
		v.mu.Lock()
		if now() || v.closed {
			v.mu.Unlock()
			return
		}
		if v.changed == nil {
			v.changed = make(chan struct{})
		}
		changed := v.changed
		v.mu.Unlock()
		select {
		case <-changed:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// find is the instance with an id; nil: there is none.
func (v *view) find(name, id string) *entry {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.lookup(name, id)
}

func (v *view) lookup(name, id string) *entry {
	if a := v.apps[name]; a != nil {
		if all := a.ids[id]; len(all) > 0 {
			return all[0]
		}
	}
	return nil
}

// at is who stands at an address of a service; nil: nobody.
func (v *view) at(source string, p place) *entry {
	v.mu.Lock()
	defer v.mu.Unlock()
	if s := v.sources[source]; s != nil {
		return s.entries[p]
	}
	return nil
}

// names of all apps in order. Called under v.mu.
func (v *view) appNames() []string {
	if v.ordered == nil {
		v.ordered = slices.Sorted(maps.Keys(v.apps))
	}
	return v.ordered
}

// hashOf is what clients compare: how many instances have which status.
func hashOf(counts map[string]int) string {
	var b strings.Builder
	for _, s := range statuses {
		if n := counts[s]; n > 0 {
			b.WriteString(s + "_" + strconv.Itoa(n) + "_")
		}
	}
	return b.String()
}
