package registry

import (
	"maps"
	"math/rand/v2"
	"testing"
)

// TestFew: it is a map, however many entries there are.
func TestFew(t *testing.T) {
	for _, keys := range []int{1, 2, fewMost, fewMost + 1, 100} {
		var f Few[int, int]
		want := map[int]int{}
		random := rand.New(rand.NewPCG(1, uint64(keys)))
		for i := range 2000 {
			key := random.IntN(keys)
			if random.IntN(3) == 0 {
				f.Delete(key)
				delete(want, key)
			} else {
				f.Put(key, i)
				want[key] = i
			}
			if f.Len() != len(want) || f.Get(key) != want[key] || !maps.Equal(maps.Collect(f.All()), want) {
				t.Fatalf("of %d keys, after %d: %v, want %v", keys, i, maps.Collect(f.All()), want)
			}
		}
		for range f.All() {
			break
		}
	}
}
