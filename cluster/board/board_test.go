package board_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/cluster/board"
	"github.com/troupe-cloud/troupe/messages"
)

// TestReplica: whatever happens on the board, and however seldom or out of order
// it is asked, the copy says what the board said then.
func TestReplica(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		b, r := board.New("one"), &board.Replicas{}
		truth := map[string]int32{}
		var late []*messages.BoardChanges
		for step := range 4000 {
			name := fmt.Sprint(random.IntN(60))
			switch random.IntN(20) {
			case 0, 1, 2, 3, 4, 5, 6, 7:
				truth[name] = int32(step)
				b.Publish(&messages.HostFacts{Name: name, Vcpus: int32(step)})
			case 8, 9, 10, 11, 12, 13:
				delete(truth, name)
				b.Remove(name)
			case 14: // the node starts again
				b = board.New(fmt.Sprint("board", step))
				for name, n := range truth {
					b.Publish(&messages.HostFacts{Name: name, Vcpus: n})
				}
				late = nil
			case 15: // an answer that is overtaken
				q := r.Known("m")
				late = append(late, b.Since(q.Board, q.After))
			default:
				if random.IntN(8) > 0 {
					continue
				}
				q := r.Known("m")
				got := r.Apply("m", crossed(b.Since(q.Board, q.After)))
				check(t, truth, got)
				for _, l := range late {
					check(t, truth, r.Apply("m", crossed(l)))
				}
				late = nil
			}
		}
	}
}

func check(t *testing.T, truth map[string]int32, got []*messages.HostFacts) {
	t.Helper()
	is := map[string]int32{}
	for _, f := range got {
		is[f.Name] = f.Vcpus
	}
	byName := func(a, b *messages.HostFacts) int { return compare(a.Name, b.Name) }
	if len(is) != len(got) || !maps.Equal(is, truth) || !slices.IsSortedFunc(got, byName) {
		t.Fatalf("the copy has %d hosts, the board %d", len(got), len(truth))
	}
}

func compare(a, b string) int {
	if a < b {
		return -1
	} else if a > b {
		return 1
	}
	return 0
}

func crossed(c *messages.BoardChanges) *messages.BoardChanges { return proto.CloneOf(c) }

// TestLittleTraffic: what has not changed is not sent.
func TestLittleTraffic(t *testing.T) {
	b, r := board.New("one"), &board.Replicas{}
	for i := range 100 {
		b.Publish(&messages.HostFacts{Name: fmt.Sprint(i)})
	}
	r.Apply("m", b.Since("", 0))
	b.Publish(&messages.HostFacts{Name: "7"})
	b.Remove("8")
	q := r.Known("m")
	if c := b.Since(q.Board, q.After); len(c.Facts) != 1 || len(c.Removed) != 1 || c.Full {
		t.Errorf("sent %v", c)
	}
	r.Retain(map[string]bool{})
	if q := r.Known("m"); q.Board != "" {
		t.Errorf("still knows %v", q)
	}
}
