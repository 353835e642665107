package consul

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"
)

// one and tree are glances at a key, and at what begins with a key.
func one(key string) *glance {
	return newGlance(context.Background(), api.KVTxnOps{{Verb: api.KVGetOrEmpty, Key: key}}, 1)
}

func tree(key string, weight int) *glance {
	return newGlance(context.Background(), api.KVTxnOps{{Verb: api.KVGetOrEmpty, Key: "marker"}, {Verb: api.KVGetTree, Key: key}}, weight)
}

// TestGather: who goes together, within the limits of a transaction.
func TestGather(t *testing.T) {
	t.Parallel()
	many := func(n int) (all []*glance) {
		for i := range n {
			all = append(all, one(fmt.Sprint(i)))
		}
		return all
	}
	gone := func(g *glance) *glance {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		g.ctx = ended
		return g
	}
	for name, tt := range map[string]struct {
		ask  []*glance
		want []int // groups of each round
	}{
		"nobody":              {nil, nil},
		"one":                 {many(1), []int{1}},
		"several":             {[]*glance{one("a"), tree("b", 9), one("c")}, []int{3}},
		"the same":            {[]*glance{one("a"), tree("a", 9), one("a"), tree("a", 9)}, []int{2}},
		"as many as fit":      {many(maxOps + 10), []int{maxOps - 1, 11}},
		"too heavy together":  {[]*glance{tree("a", lookMost-1), tree("b", 2), one("c")}, []int{1, 2}},
		"some have given up":  {[]*glance{gone(one("a")), one("b"), gone(one("b")), one("c"), gone(one("d"))}, []int{2}},
		"all have given up":   {[]*glance{gone(one("a")), gone(one("b"))}, nil},
		"too heavy by itself": {[]*glance{tree("a", lookMost+1)}, []int{1}},
	} {
		var w gather
		begun := 0
		for _, g := range tt.ask {
			if w.begins(g) {
				begun++
			}
		}
		if want := min(looksOut, len(tt.ask)); begun != want || w.out != want {
			t.Errorf("%s: %d go out at once, not %d", name, begun, want)
		}
		var got []int
		for groups := w.next(maxOps); len(groups) > 0; groups = w.next(maxOps) {
			got = append(got, len(groups))
		}
		if fmt.Sprint(got) != fmt.Sprint(tt.want) || w.waiting != nil {
			t.Errorf("%s: %v, not %v; %d are left", name, got, tt.want, len(w.waiting))
		}
	}
}

// TestDivide: each gets what it asked for, and an answer that fits no question
// gives nobody anything.
func TestDivide(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer string // keys
		want   string // of those who asked for a, for what begins with t, with u, and for b
	}{
		"all":            {"a b marker t/1 t/2 marker u/1", "a; marker t/1 t/2; marker u/1; b"},
		"empty trees":    {"a b marker marker", "a; marker; marker; b"},
		"too little":     {"a b marker t/1", ""},
		"nothing":        {"", ""},
		"another key":    {"a c marker marker", ""},
		"too much":       {"a b marker marker marker", ""},
		"no marker":      {"a b t/1 u/1", ""},
		"in other order": {"b a marker marker", ""},
	} {
		asked := []*glance{one("a"), tree("t", 1), tree("u", 1), one("b")}
		var groups [][]*glance
		for _, g := range asked {
			groups = append(groups, []*glance{g, newGlance(context.Background(), g.ops, 1)})
		}
		ordered, ops := inOrder(groups)
		if len(ops) != 6 || ops[0].Key != "a" || ops[1].Key != "b" {
			t.Errorf("%s: asked in the order %v", name, ops)
		}
		var pairs api.KVPairs
		for _, key := range strings.Fields(tt.answer) {
			pairs = append(pairs, &api.KVPair{Key: key, Value: []byte(key)})
		}
		if err := divide(ordered, pairs); (err != nil) != (tt.want == "") {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if tt.want == "" {
			continue
		}
		for which := range 2 {
			var got []string
			for _, group := range groups {
				var keys []string
				for _, p := range (<-group[which].answer).pairs {
					keys = append(keys, string(p.Value))
					p.Value[0] = '!' // the other's is another
				}
				got = append(got, strings.Join(keys, " "))
			}
			if text := strings.Join(got, "; "); text != tt.want {
				t.Errorf("%s: %s, not %s", name, text, tt.want)
			}
		}
	}
}
