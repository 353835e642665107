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

// TestSameRead: what is read by its text is what is read without it.
func TestSameRead(t *testing.T) {
	var s wire.Same
	for _, text := range []string{`{"a":"1","b":"2"}`, `{"b":"2", "a":"1"}`, `{}`, `null`, `{"a":"1","b":"2"}`, `{"a":1}`, `{"a":{}}`, `[1]`, `{"a"`, ``} {
		for range 2 {
			plain := wire.Scan([]byte(text))
			want := plain.TextMap()
			from := wire.Scan([]byte(text))
			got := s.Read(from)
			if bad := plain.End() != nil; bad != (from.End() != nil) || !bad && !maps.Equal(got, want) {
				t.Errorf("%s is %v, %v; want %v, %v", text, got, from.End(), want, plain.End())
			}
		}
	}
	for i := range 10_000 {
		if got := s.Read(wire.Scan([]byte(`{"a":"` + strconv.Itoa(i) + `"}`))); got["a"] != strconv.Itoa(i) {
			t.Fatalf("got %v for %d", got, i)
		}
	}
}

// TestSameFull: what comes again and again is kept, however much else comes once.
func TestSameFull(t *testing.T) {
	var s wire.Same
	read := func(text string) map[string]string { return s.Read(wire.Scan([]byte(text))) }
	for i := range 50_000 {
		read(`{"once":"` + strconv.Itoa(i) + `"}`)
	}
	often := `{"often":"1"}`
	for range 2 {
		read(often)
	}
	kept := read(often)
	if kept["mark"] = "it is the same map"; read(often)["mark"] == "" {
		t.Error("what came often is not kept")
	}
}
