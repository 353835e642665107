package eureka

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/gateway/registry"
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
	patient  time.Duration // wholeTime
	waits    waits
	failed   error         // of the last try to begin
	retry    time.Time     // before which there is no other
	changed  chan struct{} // closed with the next change; nil: nobody waits
	closed   bool
}

// waits are how long requests wait for the view: readyTime until it is whole, seenTime
// until it shows what they have changed. Tests on a busy machine wait for longer.
type waits struct{ ready, seen time.Duration }

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
		patient: wholeTime, waits: waits{readyTime, seenTime},
	}
}

// await waits until now is true of the view, but not for long: it then says
// what it knows.
func (v *view) await(ctx context.Context, now func() bool) {
	timer := time.NewTimer(v.waits.seen)
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
