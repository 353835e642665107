package wire_test

import (
	"maps"
	"strconv"
	"testing"

	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
)

func TestSame(t *testing.T) {
	var s wire.Same
	one := s.Map(map[string]string{"a": "1", "b": "2"})
	for range 5000 { // more than are kept
		got := s.Map(map[string]string{"b": "2", "a": "1"})
		if !maps.Equal(got, one) {
			t.Fatalf("got %v", got)
		}
	}
	for i := range 10_000 {
		if got := s.Map(map[string]string{"a": strconv.Itoa(i)}); got["a"] != strconv.Itoa(i) {
			t.Fatalf("got %v for %d", got, i)
		}
	}
	if s.Map(map[string]string{}) != nil {
		t.Error("an empty map is kept")
	}
}
