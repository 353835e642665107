package bench

import "testing"

// TestShare: members of whom each does the same make twice the traffic when they
// are twice as many, and that is linear.
func TestShare(t *testing.T) {
	few := traffic{300, 30_000, 60, 6000}.over(3 * 10)
	many := traffic{600, 60_000, 120, 24_000}.over(6 * 10)
	if got, want := many.by(few), (share{1, 1, 1, 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

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
