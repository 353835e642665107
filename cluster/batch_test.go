package cluster

import (
	"fmt"
	"slices"
	"testing"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/store"
)

// TestBatch: turns are put together until there is no more room; of the writes of
// one key the last one counts.
func TestBatch(t *testing.T) {
	t.Parallel()
	write := func(keys ...string) (writes []actors.Write) {
		for _, k := range keys {
			writes = append(writes, actors.Write{Key: k, Value: []byte("value of " + k)})
		}
		return writes
	}
	many := func(n int) (keys []string) {
		for i := range n {
			keys = append(keys, fmt.Sprint(i))
		}
		return keys
	}
	for name, tt := range map[string]struct {
		turns [][]string
		want  []string // keys, in order
		taken int      // turns that have room
		full  bool
	}{
		"one":                        {[][]string{{"a", "b"}}, []string{"a", "b"}, 1, false},
		"the same key":               {[][]string{{"a", "b"}, {"b"}, {"b", "c"}}, []string{"a", "b", "c"}, 3, false},
		"just fits":                  {[][]string{{"a", "b"}, {"c", "d"}}, []string{"a", "b", "c", "d"}, 2, true},
		"the record needs room, too": {[][]string{{"a", "b"}, {"c", "d", "e"}}, []string{"a", "b"}, 1, false},
		"one too large goes alone":   {[][]string{many(9), {"a"}}, many(9), 1, true},
		"a key again takes no room":  {[][]string{{"a", "b", "c", "d"}, {"d", "a"}}, []string{"a", "b", "c", "d"}, 2, true},
	} {
		var b *batch
		taken := 0
		for _, keys := range tt.turns {
			if !b.fits(write(keys...)) {
				break
			}
			if b == nil {
				b = &batch{room: room{5, 1000}}
			}
			b.add(write(keys...), outcome{call: &call{}})
			taken++
		}
		var keys []string
		bytes := 0
		for _, w := range b.writes {
			keys, bytes = append(keys, w.Key), bytes+len(w.Key)+len(w.Value)
		}
		if !slices.Equal(keys, tt.want) || taken != tt.taken || b.full() != tt.full || b.bytes != bytes {
			t.Errorf("%s: %v, %d turns, full %v, %d bytes of %d", name, keys, taken, b.full(), b.bytes, bytes)
		}
	}
}

type sized struct{ store.Store }

func (sized) Cheap() (int, int) { return 62, 1000 }

// TestRoom: a store says what it takes easily; of others much is taken.
func TestRoom(t *testing.T) {
	t.Parallel()
	if got := roomIn(sized{}); got != (room{62, 1000}) {
		t.Errorf("sized: %v", got)
	}
	if got := roomIn(nil); got != (room{maxBatchWrites, maxBatchBytes}) {
		t.Errorf("not sized: %v", got)
	}
}
