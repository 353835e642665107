package view_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

func TestViewIsACopy(t *testing.T) {
	members := []view.Member{{ID: "2", Name: "b", Hosts: []string{"y", "x"}}, {ID: "1", Name: "a"}}
	v := view.New(3, members)
	members[0].Name, members[0].Hosts[0] = "changed", "changed"
	if v.Members[0].Name != "a" || v.Members[1].Name != "b" || !slices.Equal(v.Members[1].Hosts, []string{"x", "y"}) {
		t.Errorf("the view is %+v", v.Members)
	}
	if m, ok := v.ByID("2"); !ok || m.Name != "b" {
		t.Error("ByID does not find b")
	}
	if m, ok := v.ByName("a"); !ok || m.ID != "1" {
		t.Error("ByName does not find a")
	}
	if _, ok := v.ByName("changed"); ok || v.Has("3") {
		t.Error("found who is not there")
	}
}

func TestTwoOfOneName(t *testing.T) {
	v := view.New(1, []view.Member{{ID: "old", Name: "a", Epoch: 4}, {ID: "new", Name: "a", Epoch: 9}})
	if len(v.Members) != 1 || !v.Has("new") || v.Has("old") {
		t.Errorf("the view is %+v, want the later registration alone", v.Members)
	}
}

func TestSuccessors(t *testing.T) {
	v := cloud(1, "n%d", 8)
	watched := map[string]int{}
	for _, m := range v.Members {
		next := v.Successors(m.ID, 3)
		if len(next) != 3 || slices.ContainsFunc(next, func(o view.Member) bool { return o.ID == m.ID }) {
			t.Fatalf("%s watches %v", m.Name, next)
		}
		for _, o := range next {
			watched[o.Name]++
		}
	}
	for _, m := range v.Members {
		if watched[m.Name] != 3 {
			t.Errorf("%s is watched by %d", m.Name, watched[m.Name])
		}
	}
	if got := len(cloud(1, "n%d", 3).Successors("id-n1", 3)); got != 2 {
		t.Errorf("of three members one watches %d", got)
	}
	if v.Successors("stranger", 3) != nil || len(cloud(1, "n%d", 1).Successors("id-n1", 3)) != 0 {
		t.Error("nobody is watched by a stranger, or by one alone")
	}
}

func TestDiff(t *testing.T) {
	a, b := view.Member{ID: "1", Name: "a"}, view.Member{ID: "2", Name: "b"}
	left := b
	left.Leaving = true
	again := view.Member{ID: "3", Name: "a"}
	for name, tt := range map[string]struct {
		old, new              []view.Member
		joined, gone, altered int
	}{
		"nothing":      {[]view.Member{a, b}, []view.Member{b, a}, 0, 0, 0},
		"first":        {nil, []view.Member{a}, 1, 0, 0},
		"joined":       {[]view.Member{a}, []view.Member{a, b}, 1, 0, 0},
		"gone":         {[]view.Member{a, b}, []view.Member{b}, 0, 1, 0},
		"leaving":      {[]view.Member{a, b}, []view.Member{a, left}, 0, 0, 1},
		"started anew": {[]view.Member{a, b}, []view.Member{again, b}, 1, 1, 0},
	} {
		c := view.Diff(view.New(1, tt.old), view.New(2, tt.new))
		if len(c.Joined) != tt.joined || len(c.Gone) != tt.gone || len(c.Altered) != tt.altered {
			t.Errorf("%s: %+v", name, c)
		}
		if c.Empty() != (tt.joined+tt.gone+tt.altered == 0) {
			t.Errorf("%s: Empty is %v", name, c.Empty())
		}
	}
	if c := view.Diff(nil, view.New(1, []view.Member{a})); len(c.Joined) != 1 {
		t.Errorf("from nothing: %+v", c)
	}
}

func TestRoles(t *testing.T) {
	for text, want := range map[string]view.Role{
		"gateway": view.Gateway, "control, compute": view.Control | view.Compute,
		"gateway,control,compute": view.AllRoles, "": 0, "gateway,": 0, "king": 0,
	} {
		got, err := view.ParseRoles(text)
		if got != want && err == nil || (want == 0) != errors.Is(err, messages.Invalid) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
		if back, err := view.ParseRoles(want.String()); want != 0 && (err != nil || back != want) {
			t.Errorf("%v is written %q, which is read as %v", want, want.String(), back)
		}
	}
}

func TestValid(t *testing.T) {
	good := view.Member{ID: "1", Name: "node-1.rack", Address: "h:1", Roles: view.Control}
	for name, change := range map[string]func(*view.Member){
		"no id": func(m *view.Member) { m.ID = "" }, "no name": func(m *view.Member) { m.Name = "" },
		"slash": func(m *view.Member) { m.Name = "a/b" }, "dots": func(m *view.Member) { m.Name = ".." },
		"long":       func(m *view.Member) { m.Name = string(make([]byte, 64)) },
		"no address": func(m *view.Member) { m.Address = "" }, "no role": func(m *view.Member) { m.Roles = 0 },
		"unknown role": func(m *view.Member) { m.Roles = 8 },
	} {
		bad := good
		change(&bad)
		if err := bad.Valid(); !errors.Is(err, messages.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := good.Valid(); err != nil {
		t.Error(err)
	}
}
