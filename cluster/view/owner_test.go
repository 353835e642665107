package view_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/view"
)

// cloud has n control members with names that differ as little as names do.
func cloud(index uint64, format string, n int) *view.View {
	members := make([]view.Member, n)
	for i := range members {
		name := fmt.Sprintf(format, i+1)
		members[i] = view.Member{ID: "id-" + name, Name: name, Address: "127.0.0.1:1", Roles: view.AllRoles, Epoch: uint64(i + 1)}
	}
	return view.New(index, members)
}

func TestOwnersAreEven(t *testing.T) {
	const grains = 90_000
	for _, format := range []string{"n%d", "node-%02d", "rack-1.host-%d.example", "compute%03d"} {
		for _, n := range []int{3, 4, 5, 7, 10, 16, 30} {
			v := cloud(1, format, n)
			owned := map[string]int{}
			for i := range grains {
				m, ok := v.Owner(actors.Ref{Kind: "instance", ID: fmt.Sprintf("0199-%08x", i)})
				if !ok {
					t.Fatal("a grain without an owner")
				}
				owned[m.Name]++
			}
			even := float64(grains) / float64(n)
			for name, got := range owned {
				if ratio := float64(got) / even; ratio < 0.9 || ratio > 1.1 {
					t.Errorf("%d members %q: %s owns %.1f %% of an even share", n, format, name, 100*ratio)
				}
			}
			if len(owned) != n {
				t.Errorf("%d of %d members own something", len(owned), n)
			}
		}
	}
}

func TestOnlyWhatMustMoveMoves(t *testing.T) {
	before, after := cloud(1, "n%d", 9), cloud(2, "n%d", 10)
	moved := 0
	for i := range 10_000 {
		ref := actors.Ref{Kind: "instance", ID: fmt.Sprint(i)}
		was, _ := before.Owner(ref)
		is, _ := after.Owner(ref)
		if was.ID != is.ID {
			moved++
			if is.Name != "n10" {
				t.Fatalf("%v moved from %s to %s, though only n10 has joined", ref, was.Name, is.Name)
			}
		}
		if view.Moved(before, after, ref) != (was.ID != is.ID) {
			t.Fatalf("Moved is wrong about %v", ref)
		}
	}
	if moved < 800 || moved > 1200 {
		t.Errorf("%d of 10000 grains moved to the tenth member", moved)
	}
}

func TestOwner(t *testing.T) {
	v := view.New(7, []view.Member{
		{ID: "1", Name: "a", Roles: view.Control, Epoch: 1},
		{ID: "2", Name: "b", Roles: view.Compute, Epoch: 2, Hosts: []string{"h2", "h1"}},
		{ID: "3", Name: "c", Roles: view.Control | view.Compute, Epoch: 3, Leaving: true, Hosts: []string{"h3", "h1"}},
		{ID: "4", Name: "d", Roles: view.Compute, Epoch: 4, Hosts: []string{"h4", "h2"}},
		{ID: "5", Name: "e", Roles: view.Gateway, Epoch: 5},
	})
	for ref, want := range map[actors.Ref]string{
		{Kind: "host", ID: "h1"}:       "2", // c lists it too, and leaves
		{Kind: "host", ID: "h2"}:       "4", // two list it: the later registration
		{Kind: "host", ID: "h3"}:       "",
		{Kind: "host", ID: "h4"}:       "4",
		{Kind: "host", ID: "unknown"}:  "",
		{Kind: "node", ID: "c"}:        "3",
		{Kind: "node", ID: "e"}:        "5",
		{Kind: "node", ID: "z"}:        "",
		{Kind: "instance", ID: "some"}: "1", // the only control member that stays
		{Kind: "project", ID: "other"}: "1",
	} {
		m, ok := v.Owner(ref)
		if m.ID != want || ok != (want != "") {
			t.Errorf("%v: owner %q, %v; want %q", ref, m.ID, ok, want)
		}
		for _, m := range v.Members {
			if v.Owns(m.ID, ref) != (m.ID == want) {
				t.Errorf("%v: Owns(%q) is %v", ref, m.ID, !(m.ID == want))
			}
		}
	}
	if _, ok := view.New(1, nil).Owner(actors.Ref{Kind: "instance", ID: "x"}); ok {
		t.Error("an empty view has an owner")
	}
}

// Owners must never change between versions of the program: nodes of two
// versions run side by side.
func TestOwnersAreForEver(t *testing.T) {
	v := cloud(1, "node-%d", 5)
	got := ""
	for i := range 24 {
		m, _ := v.Owner(actors.Ref{Kind: "instance", ID: fmt.Sprintf("%08x", i)})
		got += m.Name[len("node-"):]
	}
	if want := goldenOwners; got != want {
		t.Errorf("owners are %s, and were %s", got, want)
	}
}

const goldenOwners = "232445324215523414213441"

// FuzzOwner: whatever stands in a table, every grain has at most one owner, all
// members agree who, whatever the order of the records.
func FuzzOwner(f *testing.F) {
	f.Add("instance", "0199", "a,b,c", uint64(1))
	f.Add("host", "a", "a,a,b", uint64(2))
	f.Add("node", "", ",,", uint64(3))
	f.Add("host", "h\xff", "h\xff,\x00", uint64(4))
	f.Fuzz(func(t *testing.T, kind, id, names string, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 1))
		var members []view.Member
		for i, name := range splitN(names, 40) {
			members = append(members, view.Member{
				ID: fmt.Sprint(i), Name: name, Roles: view.Role(random.UintN(8)), Epoch: uint64(i + 1),
				Leaving: random.UintN(4) == 0, Hosts: []string{name, fmt.Sprint(random.UintN(3))},
			})
		}
		ref := actors.Ref{Kind: kind, ID: id}
		one := view.New(1, members)
		random.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		two := view.New(1, members)
		if !one.Same(two) || view.Moved(one, two, ref) {
			t.Fatal("the order of the records matters")
		}
		owner, ok := one.Owner(ref)
		owns := 0
		for _, m := range one.Members {
			if one.Owns(m.ID, ref) {
				owns++
			}
			for n := range 5 {
				if next := one.Successors(m.ID, n); len(next) != min(n, len(one.Members)-1) {
					t.Fatalf("%d successors of %d members, asked for %d", len(next), len(one.Members), n)
				}
			}
		}
		if ok != (owns == 1) || owns > 1 {
			t.Fatalf("%v: Owner says %v, and %d members own it", ref, ok, owns)
		}
		if ok && kind != view.NodeKind && owner.Leaving {
			t.Fatal("a member that leaves owns something")
		}
	})
}

func splitN(s string, limit int) (words []string) {
	word := ""
	for _, r := range []byte(s) {
		if r != ',' {
			word += string(r)
			continue
		}
		if words = append(words, word); len(words) == limit {
			return words
		}
		word = ""
	}
	return append(words, word)
}

func BenchmarkOwner30(b *testing.B) {
	v := cloud(1, "node-%02d", 30)
	ref := actors.Ref{Kind: "instance", ID: "01996c1e-7d3a-7c59-8f3a-0242ac120002"}
	b.ReportAllocs()
	for b.Loop() {
		v.Owner(ref)
	}
}

func BenchmarkOwns30(b *testing.B) {
	v := cloud(1, "node-%02d", 30)
	ref := actors.Ref{Kind: "instance", ID: "01996c1e-7d3a-7c59-8f3a-0242ac120002"}
	b.ReportAllocs()
	for b.Loop() {
		v.Owns("id-node-07", ref)
	}
}
