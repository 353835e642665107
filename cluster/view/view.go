package view

import (
	"cmp"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// View is a table of members at one index. It is never changed. Views are totally
// ordered by Index, and two with one index are equal.
type View struct {
	Index   uint64
	Members []Member // sorted by Name; not to be changed

	byID   map[string]int
	byName map[string]int
	byHost map[string]int // whose owner does not go by score
	voters []int          // positions in Members of those who may own a grain by score
	hashes []uint64       // of their names
	ring   []int          // positions in Members, in the order of their names' hashes
}

// New makes a view. The members are copied. Of two with one name, or two that
// list one host, the later registration counts; tables hold no such thing, but
// hands can write it.
func New(index uint64, members []Member) *View {
	v := &View{
		Index: index, Members: distinct(members),
		byID: map[string]int{}, byName: map[string]int{}, byHost: map[string]int{},
	}
	hashes := make([]uint64, len(v.Members))
	for i, m := range v.Members {
		hashes[i] = xxhash.Sum64String(m.Name)
		v.byID[m.ID], v.byName[m.Name] = i, i
		v.ring = append(v.ring, i)
		if m.Leaving {
			continue
		}
		if m.Roles.Has(Control) {
			v.voters, v.hashes = append(v.voters, i), append(v.hashes, hashes[i])
		}
		for _, host := range m.Hosts {
			if other, twice := v.byHost[host]; !twice || v.Members[other].Epoch < m.Epoch {
				v.byHost[host] = i
			}
		}
	}
	// By hash and not by name: machines of one rack are named alike and fail
	// together, and should not be each other's only watchers.
	slices.SortFunc(v.ring, func(a, b int) int {
		return cmp.Or(cmp.Compare(hashes[a], hashes[b]), cmp.Compare(a, b))
	})
	return v
}

func distinct(members []Member) []Member {
	all := slices.Clone(members)
	slices.SortFunc(all, func(a, b Member) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(b.Epoch, a.Epoch), cmp.Compare(a.ID, b.ID))
	})
	all = slices.CompactFunc(all, func(a, b Member) bool { return a.Name == b.Name })
	for i := range all {
		all[i].Hosts = slices.Sorted(slices.Values(all[i].Hosts))
	}
	return all
}

// ByID finds a member by the id of its start.
func (v *View) ByID(id string) (Member, bool) { return v.at(v.byID, id) }

// ByName finds a member by the name of its node.
func (v *View) ByName(name string) (Member, bool) { return v.at(v.byName, name) }

func (v *View) at(index map[string]int, key string) (Member, bool) {
	i, ok := index[key]
	if !ok {
		return Member{}, false
	}
	return v.Members[i], true
}

// Has reports whether the start with this id is a member.
func (v *View) Has(id string) bool {
	_, ok := v.byID[id]
	return ok
}

// Same reports whether two views list the same, whatever their indexes.
func (v *View) Same(o *View) bool {
	return slices.EqualFunc(v.Members, o.Members, Member.Equal)
}
