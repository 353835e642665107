package bench

import (
	"slices"
	"testing"
)

func TestCheck(t *testing.T) {
	good := settings{servers: 3, hosts: 3, clients: 1, during: 1, nodes: 3, kills: 1, fleet: 1, sizes: []int{1, 3}}
	for name, tt := range map[string]struct {
		change func(*settings)
		ok     bool
	}{
		"a cluster":                 {func(*settings) {}, true},
		"one node":                  {func(s *settings) { s.nodes, s.kills, s.sizes = 1, 0, nil }, true},
		"two nodes":                 {func(s *settings) { s.nodes = 2 }, false},
		"fewer hosts than nodes":    {func(s *settings) { s.hosts = 2 }, false},
		"sizes that fall":           {func(s *settings) { s.sizes = []int{3, 1} }, false},
		"a size twice":              {func(s *settings) { s.sizes = []int{3, 3} }, false},
		"no sizes":                  {func(s *settings) { s.sizes = nil }, false},
		"nothing to measure a rate": {func(s *settings) { s.during = 0 }, false},
	} {
		s := good
		tt.change(&s)
		if err := s.check(); (err == nil) != tt.ok {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestWanted: what is named is measured in the order of the table, after that whose
// servers it looks at, and what nobody knows is refused.
func TestWanted(t *testing.T) {
	for name, tt := range map[string]struct {
		of   []part
		only []string
		want []string // nil: refused
	}{
		"one":                      {parts, []string{"scheduling"}, []string{"scheduling decisions"}},
		"with what it builds on":   {parts, []string{"read"}, []string{createAll, "read"}},
		"named twice":              {parts, []string{"read", "create"}, []string{createAll, "read"}},
		"a beginning of several":   {clusterParts, []string{"nodes"}, []string{createThrough, "nodes leave", "nodes are killed"}},
		"of the other benchmark":   {parts, []string{"nodes leave"}, nil},
		"one known, one not known": {parts, []string{"read", "write"}, nil},
	} {
		got, err := settings{only: tt.only}.wanted(tt.of)
		var names []string
		for _, p := range got {
			names = append(names, p.name)
		}
		if !slices.Equal(names, tt.want) || (err != nil) != (tt.want == nil) {
			t.Errorf("%s: got %q, %v, want %q", name, names, err, tt.want)
		}
	}
}
