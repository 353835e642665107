package service

import (
	"math"

	"github.com/troupe-cloud/troupe/messages"
)

// Checksum is what KeepOwners says about all that the owners of a member have
// registered in a service, as they registered it: the order does not matter, and
// what an operator or a check changed afterwards does not count. No endpoints: 0.
func Checksum(registered ...*messages.Endpoint) uint64 {
	var sum uint64
	for _, e := range registered {
		sum ^= Sum(e)
	}
	return sum
}

// Sum is one endpoint's share of a Checksum: sums of endpoints are joined, and
// taken off again, with XOR. Two equal endpoints would cancel each other: an owner
// has one for each address.
func Sum(e *messages.Endpoint) uint64 {
	h := sum(offset64)
	h = h.text(e.Owner).text(e.Ip).number(uint64(e.Port)).text(Cluster(e.Cluster))
	h = h.number(math.Float64bits(e.Weight)).bool(e.Enabled).bool(e.Healthy)
	h = h.text(e.Id).text(e.App).text(e.StatusOverride)
	h = h.number(uint64(e.BeatIntervalMs)).number(uint64(e.BeatTimeoutMs)).number(uint64(e.DeleteTimeoutMs))
	if len(e.Document) > 0 || e.Status != "" { // which older versions do not know
		h = h.text(string(e.Document)).text(e.Status)
	}
	var pairs uint64 // in whichever order
	for k, v := range e.Metadata {
		pairs += uint64(sum(offset64).text(k).text(v).mixed())
	}
	h = h.number(pairs)
	if c := e.Check; c != nil { // only of servers, which no other version sums up
		h = h.text(c.Type).text(c.Path).number(uint64(c.Port))
	}
	return uint64(h.mixed())
}

// sum is a running FNV-1a: nodes of different versions have to agree on it.
type sum uint64

const (
	offset64 = 14695981039346656037
	prime64  = 1099511628211
)

func (h sum) text(s string) sum {
	for i := range len(s) {
		h = (h ^ sum(s[i])) * prime64
	}
	return (h ^ 0xff) * prime64 // no UTF-8 text holds this byte: "a","b" is not "ab",""
}

func (h sum) number(n uint64) sum {
	for range 8 {
		h = (h ^ sum(n&0xff)) * prime64
		n >>= 8
	}
	return h
}

func (h sum) bool(b bool) sum {
	if b {
		return (h ^ 1) * prime64
	}
	return h * prime64
}

// mixed spreads the last bytes over all bits.
func (h sum) mixed() sum {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	return h ^ h>>33
}
