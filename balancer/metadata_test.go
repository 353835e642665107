package balancer

import (
	"strings"
	"testing"
	"time"
)

func TestWishes(t *testing.T) { // table: one row, what a service says
	for name, c := range map[string]struct {
		meta  map[string]string
		want  Wishes
		wrong []string
	}{
		"nothing":           {nil, Wishes{}, nil},
		"all":               {map[string]string{RuleKey: "random", RetriesKey: "0", TimeoutKey: "2s", "zone": "a"}, Wishes{"random", 1, 2 * time.Second}, nil},
		"nonsense":          {map[string]string{RuleKey: "x", RetriesKey: "11", TimeoutKey: "-1s"}, Wishes{}, []string{RuleKey, RetriesKey, TimeoutKey}},
		"one that is wrong": {map[string]string{RuleKey: "p2c", RetriesKey: "many"}, Wishes{Rule: "p2c"}, []string{RetriesKey}},
	} {
		got, err := WishesOf(c.meta)
		var lines []string
		if err != nil {
			lines = strings.Split(err.Error(), "\n")
		}
		if got != c.want || len(lines) != len(c.wrong) {
			t.Errorf("%s: %+v, %q", name, got, lines)
			continue
		}
		for i, line := range lines {
			if !strings.HasPrefix(line, c.wrong[i]) {
				t.Errorf("%s: %q is not about %s", name, line, c.wrong[i])
			}
		}
	}
}
