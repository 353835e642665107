package service

import (
	"hash/maphash"

	"github.com/benbjohnson/immutable"

	"github.com/troupe-cloud/troupe/messages"
)

// live is what lives in memory only: who is there and until when, arranged so that
// a registration, a beat and an expiry cost the same however many there are.
// Times are Unix milliseconds, 0 for never. Nobody changes one.
type live struct {
	id     string
	rev    int64       // of what was last told
	places trie[place] // by address
	slots  vec[*entry]
	lease  vec[int64] // of a slot: its last beat; when its dropped owner's grace ends; or forever
	armed  vec[int64] // of a slot: the bucket in which it is looked at; 0: in none
	probes vec[probe] // of a slot of a persistent endpoint

	used uint32 // slots that were ever given
	free *freeSlot
	held int // entries, shown or not

	app, dialect string // of the last registration: most say the same
	metadata     recent // of the last ones

	clusters       []tally // of addresses, by name
	shown, healthy int     // addresses

	members []*member // who keeps endpoints here, by name

	buckets *immutable.SortedMap[int64, *bucket]
	first   int64 // bucket

	dirty   []uint64 // bits of chunks that are not stored as they are
	unsaved int      // how many
	saveAt  int64    // when some may be stored

	emptyAt int64 // when the service goes, if it stays empty
	grace   int64 // no beats are missed before: the grain itself was late
	wake    int64

	memo *memo
}

// place is an address and everybody who has registered it. A trie holds it as it is:
// mostly that is one entry, which needs nothing beside it. The zero place is nobody's.
type place struct {
	newest *entry // who is shown
	older  *[]*entry
}

// joint is a place that some have registered, the newest first.
func joint(all []*entry) place {
	p := place{newest: all[0]}
	if len(all) > 1 {
		older := all[1:]
		p.older = &older
	}
	return p
}

func (p place) empty() bool               { return p.newest == nil }
func (p place) alone() bool               { return p.older == nil }
func (p place) shown() *messages.Endpoint { return p.newest.e }

func (p place) hash() uint64 {
	e := p.shown()
	return addressHash(e.Ip, e.Port, e.Cluster)
}

// all is everybody, the newest first.
func (p place) all(yield func(*entry) bool) {
	if p.empty() || !yield(p.newest) || p.alone() {
		return
	}
	for _, r := range *p.older {
		if !yield(r) {
			return
		}
	}
}

// of is the registration of an owner; nil: it has none.
func (p place) of(owner string) *entry {
	for r := range p.all {
		if r.e.Owner == owner {
			return r
		}
	}
	return nil
}

// seed keeps callers from choosing addresses that fall together.
var seed = maphash.MakeSeed()

func addressHash(ip string, port int32, cluster string) uint64 {
	h := maphash.String(seed, ip) ^ maphash.String(seed, cluster)*prime64
	return uint64(sum(h ^ uint64(port)*0x9e3779b97f4a7c15).mixed())
}

// place is who has registered an address.
func (l *live) place(ip string, port int32, cluster string) place {
	p, _ := l.places.get(addressHash(ip, port, cluster), func(p place) bool { return p.is(ip, port, cluster) })
	return p
}

func (p place) is(ip string, port int32, cluster string) bool {
	e := p.newest.e
	return e.Port == port && e.Ip == ip && e.Cluster == cluster
}

// at is the place of a key.
func (l *live) at(k *messages.EndpointKey) place {
	return l.place(k.GetIp(), k.GetPort(), Cluster(k.GetCluster()))
}

type freeSlot struct {
	slot uint32
	next *freeSlot
}

// tally counts the addresses of a cluster.
type tally struct {
	name string
	n    int
}

// member is a node that keeps endpoints here for its connections.
type member struct {
	name   string
	last   int64 // when it was last heard
	sum    uint64
	n      int // endpoints of its owners, but for the dropped ones
	owners trie[*owner]
	count  int // owners
}

// owner is a connection and what it has registered here.
type owner struct {
	name  string
	h     uint64
	drop  int64 // when it ends; 0: it lives
	slots []uint32
}

func (o *owner) hash() uint64 { return o.h }

// bucket is the slots that are looked at at one time.
type bucket struct {
	slot uint32
	more []uint32
	next *bucket
}

func (b *bucket) all(yield func(uint32) bool) {
	for ; b != nil; b = b.next {
		if len(b.more) == 0 {
			if !yield(b.slot) {
				return
			}
			continue
		}
		for _, slot := range b.more {
			if !yield(slot) {
				return
			}
		}
	}
}
