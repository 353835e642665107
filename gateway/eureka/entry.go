package eureka

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/troupe-cloud/troupe/messages"
)

// place is an endpoint's identity within its service, as a view sees it.
type place struct {
	ip      string
	port    int32
	cluster string
}

func placeOf(e *messages.Endpoint) place { return place{e.Ip, e.Port, e.Cluster} }

// entry is an endpoint with the instance that it is. But for gen and at nobody changes
// one.
type entry struct {
	*instance
	e      *messages.Endpoint
	source string // name of its service
	action string
	gen    uint64 // of the last look that found it; under the view's lock
	at     int    // in its source's list; likewise
}

func newEntry(source string, e *messages.Endpoint) *entry {
	return &entry{instance: fromEndpoint(source, e), e: e, source: source, action: added}
}

// ours says whether the instance was registered here.
func (x *entry) ours() bool { return x.e.Dialect == dialect && x.e.Status != "" }

func (x *entry) key() *messages.EndpointKey {
	return &messages.EndpointKey{Ip: x.e.Ip, Port: x.e.Port, Cluster: x.e.Cluster, Owner: x.e.Owner}
}

// changedAt is x as it is after a change of was.
func (x *entry) changedAt(at int64, was *entry) {
	i := *x.instance
	i.Updated, i.Lease.Renewed = max(at, i.Updated), max(at, i.Updated)
	if was != nil && i.Status == up {
		i.Lease.Upon = was.Lease.Upon
		if was.Status != up {
			i.Lease.Upon = i.Updated
		}
	}
	x.instance, x.action = &i, modified
}

// same says whether two endpoints of one identity are one instance.
func same(a, b *messages.Endpoint) bool {
	return a == b || a.Enabled == b.Enabled && a.Healthy == b.Healthy && a.Status == b.Status && a.StatusOverride == b.StatusOverride &&
		a.Owner == b.Owner && a.Id == b.Id && a.Dialect == b.Dialect && a.RegisteredAt == b.RegisteredAt &&
		bytes.Equal(a.Document, b.Document) && maps.Equal(a.Metadata, b.Metadata)
}

// better says which of two endpoints with one id is the instance: the younger.
func better(a, b *entry) int {
	switch {
	case a.e.RegisteredAt != b.e.RegisteredAt:
		if a.e.RegisteredAt > b.e.RegisteredAt {
			return -1
		}
		return 1
	case a.source != b.source:
		return strings.Compare(a.source, b.source)
	}
	return cmpPlace(placeOf(a.e), placeOf(b.e))
}

func cmpPlace(a, b place) int {
	if c := strings.Compare(a.ip, b.ip); c != 0 {
		return c
	}
	if a.port != b.port {
		return int(a.port - b.port)
	}
	return strings.Compare(a.cluster, b.cluster)
}

// app is one application: what the services have whose names are its, in whichever
// case.
type app struct {
	name    string
	ids     map[string][]*entry // of each id the best first, which is shown
	sorted  []*entry            // all that are shown, by id; nil: not since the last change
	version uint64              // of the view, when it last changed
}

// put replaces was by x among the entries of an id; both may be nil. It returns who
// was shown under the id and who is.
func (a *app) put(id string, was, x *entry) (before, now *entry) {
	all := a.ids[id]
	if len(all) > 0 {
		before = all[0]
	}
	next := make([]*entry, 0, len(all)+1)
	for _, o := range all {
		if o != was {
			next = append(next, o)
		}
	}
	if x != nil {
		next = append(next, x)
		slices.SortFunc(next, better)
	}
	if len(next) == 0 {
		delete(a.ids, id)
		return before, nil
	}
	a.ids[id] = next
	return before, next[0]
}

// shown lists the instances by id.
func (a *app) shown() []*entry {
	if a.sorted == nil {
		a.sorted = make([]*entry, 0, len(a.ids))
		for _, all := range a.ids {
			a.sorted = append(a.sorted, all[0])
		}
		slices.SortFunc(a.sorted, func(x, y *entry) int { return strings.Compare(x.ID, y.ID) })
	}
	return a.sorted
}
