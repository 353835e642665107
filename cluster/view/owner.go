package view

import (
	"math/bits"

	"github.com/cespare/xxhash/v2"

	"github.com/troupe-cloud/troupe/actors"
)

const (
	// HostKind is pinned to the member whose record lists the host.
	HostKind = "host"

	// NodeKind is no kind of grain: it names the members themselves.
	NodeKind = "node"
)

// Owner is the member that a grain lives on; false if there is none: no control
// member that stays, or nobody that drives the host. The owner of a NodeKind is
// the member of that name, leaving or not.
func (v *View) Owner(ref actors.Ref) (Member, bool) {
	switch ref.Kind {
	case HostKind:
		return v.at(v.byHost, ref.ID)
	case NodeKind:
		return v.at(v.byName, ref.ID)
	}
	i := v.winner(ref)
	if i < 0 {
		return Member{}, false
	}
	return v.Members[i], true
}

// Owns reports whether the member with this id is the grain's owner. It is what
// Owner says, without copying a member.
func (v *View) Owns(id string, ref actors.Ref) bool {
	i, ok := -1, true
	switch ref.Kind {
	case HostKind:
		i, ok = v.byHost[ref.ID]
	case NodeKind:
		i, ok = v.byName[ref.ID]
	default:
		i = v.winner(ref)
	}
	return ok && i >= 0 && v.Members[i].ID == id
}

// winner is the position of the voter with the highest score, -1 without voters.
// Voters stand in the order of their names, and a tie goes to the first.
func (v *View) winner(ref actors.Ref) int {
	if len(v.voters) == 0 {
		return -1
	}
	grain := grainHash(ref)
	best, top := 0, uint64(0)
	for i, hash := range v.hashes {
		if s := score(hash, grain); s > top {
			best, top = i, s
		}
	}
	return v.voters[best]
}

// grainHash must be the same in every process of every version: two nodes that
// disagree about it would disagree about every owner.
func grainHash(ref actors.Ref) uint64 {
	return xxhash.Sum64String(ref.Kind)*0x9e3779b97f4a7c15 + xxhash.Sum64String(ref.ID)
}

// score mixes two hashes as wyhash does (Wang Yi and others, "Modern
// non-cryptographic hash function and pseudorandom number generator"): one
// 128-bit product, folded. Names that differ in one letter get unrelated scores.
func score(member, grain uint64) uint64 {
	high, low := bits.Mul64(member^grain, 0x9e3779b97f4a7c15)
	return high ^ low
}

// Moved reports whether a grain has another owner under the new view than under
// the old one: another node, another start of the same one, or none.
func Moved(old, new *View, ref actors.Ref) bool {
	before, had := old.Owner(ref)
	after, has := new.Owner(ref)
	return had != has || before.ID != after.ID
}
