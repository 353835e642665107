package images

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/troupe-cloud/troupe/cluster/view"
)

// ranked is the order in which nodes are to hold a content, best first.
func (i *Images) ranked(sha256 string) []view.Member {
	v := i.cfg.View()
	if v == nil {
		return nil
	}
	return rank(v.Members, i.cfg.Holds, sha256)
}

// rank must come out the same in every process of every version. A node that
// comes or goes changes the keepers only of those contents whose keeper it is.
func rank(members []view.Member, holds func(view.Member) bool, sha256 string) []view.Member {
	type scored struct {
		m view.Member
		s uint64
	}
	content := xxhash.Sum64String(sha256)
	all := make([]scored, 0, len(members))
	for _, m := range members {
		if holds(m) {
			all = append(all, scored{m, mix(xxhash.Sum64String(m.Name) ^ content)})
		}
	}
	slices.SortFunc(all, func(a, b scored) int {
		return cmp.Or(cmp.Compare(b.s, a.s), cmp.Compare(a.m.Name, b.m.Name))
	})
	order := make([]view.Member, len(all))
	for i := range all {
		order[i] = all[i].m
	}
	return order
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood, "Fast splittable
// pseudorandom number generators", 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// keepers are the nodes that have to hold a content.
func (i *Images) keepers(sha256 string) []view.Member {
	order := i.ranked(sha256)
	return order[:min(i.limits.Copies, len(order))]
}

// keeps says whether this node is a keeper of a content. Who is no member does
// not know, and had better be.
func (i *Images) keeps(sha256 string) bool {
	v := i.cfg.View()
	if v == nil {
		return true
	}
	if _, member := v.ByName(i.cfg.Self); !member {
		return true
	}
	return slices.ContainsFunc(i.keepers(sha256), i.isSelf)
}

func (i *Images) isSelf(m view.Member) bool { return m.Name == i.cfg.Self }

// others are all members but this one.
func (i *Images) others() []view.Member {
	v := i.cfg.View()
	if v == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(v.Members), i.isSelf)
}

// starts tells one set of keepers from another: a node that started again may
// have come back with an empty disk.
func starts(members []view.Member) string {
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = m.ID
	}
	return strings.Join(ids, "\n")
}

func validName(sha256 string) bool {
	return len(sha256) == 64 && strings.Trim(sha256, "0123456789abcdef") == ""
}
