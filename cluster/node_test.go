package cluster_test

import (
	"errors"
	"testing"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster"
	"github.com/troupe-cloud/troupe/cluster/store/mem"
	"github.com/troupe-cloud/troupe/messages"
)

func TestAskAndRestart(t *testing.T) {
	s := mem.New()
	n := start(t, s)
	for i := range int64(5) {
		if got := mustCount(t, n, "a", "x"); got != i+1 {
			t.Fatalf("count %d answered %d", i+1, got)
		}
	}
	mustCount(t, n, "a", "y/ z")
	stop(t, n)
	if _, err := n.Client().Ask(t.Context(), counterRef("a"), &messages.GetQuota{}); !errors.Is(err, messages.Unavailable) {
		t.Errorf("a stopped node answered %v", err)
	}
	n = start(t, s)
	if got := mustRead(t, n, "a"); got["n"] != 6 || got["x"] != 5 || got["y/ z"] != 1 {
		t.Errorf("after a restart: %v", got)
	}
}

func TestAskErrors(t *testing.T) {
	n := start(t, mem.New())
	for name, tt := range map[string]struct {
		to   actors.Ref
		m    actors.Message
		want error
	}{
		"refused by the step": {counterRef("a"), &messages.ResetQuota{}, messages.Conflict},
		"not its message":     {counterRef("a"), &messages.GetHost{}, messages.Invalid},
		"a panic":             {counterRef("a"), &messages.SetQuota{}, messages.Internal},
		"no such kind":        {actors.Ref{Kind: "nothing", ID: "a"}, &messages.GetHost{}, messages.Invalid},
		"no identity":         {counterRef(""), &messages.GetQuota{}, messages.Invalid},
		"an endless identity": {counterRef(string(make([]byte, 400))), &messages.GetQuota{}, messages.Invalid},
		"no message":          {counterRef("a"), nil, messages.Invalid},
	} {
		if _, err := n.Client().Ask(t.Context(), tt.to, tt.m); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
	if got := mustCount(t, n, "a", "x"); got != 1 {
		t.Errorf("after refusals and a panic the count is %d", got)
	}
	if got := n.Client().Stats(); got.Panics != 1 || got.Commits != 1 {
		t.Errorf("stats: %+v", got)
	}
}

func TestStartRefuses(t *testing.T) {
	for name, c := range map[string]cluster.Config{
		"no name":        {Store: mem.New(), Kinds: []actors.Kind{counterKind()}},
		"no store":       {Name: "n", Kinds: []actors.Kind{counterKind()}},
		"no kinds":       {Name: "n", Store: mem.New()},
		"a kind twice":   {Name: "n", Store: mem.New(), Kinds: []actors.Kind{counterKind(), counterKind()}},
		"negative idle":  {Name: "n", Store: mem.New(), Kinds: []actors.Kind{counterKind()}, IdleTimeout: -1},
		"negative width": {Name: "n", Store: mem.New(), Kinds: []actors.Kind{counterKind()}, HostOps: -1},
	} {
		if _, err := cluster.Start(t.Context(), c); !errors.Is(err, messages.Invalid) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestList(t *testing.T) {
	n := start(t, mem.New())
	mustCount(t, n, "b", "x")
	mustCount(t, n, "b", "x")
	mustCount(t, n, "a", "x")
	entries, more, err := n.Client().List(t.Context(), cluster.Page{Prefix: "counter/", Limit: 1})
	if err != nil || !more || len(entries) != 1 || entries[0].Key != "counter/001" || entries[0].Value[0] != 1 {
		t.Fatalf("first page: %v %v %v", entries, more, err)
	}
	entries, more, err = n.Client().List(t.Context(), cluster.Page{Prefix: "counter/", After: entries[0].Key, Limit: 1})
	if err != nil || more || len(entries) != 1 || entries[0].Key != "counter/002" {
		t.Fatalf("second page: %v %v %v", entries, more, err)
	}
}
