package actors

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"
)

// difference lists what has to be written to come from one set of entries to
// another.
func difference(before, after []Entry) []Write {
	if len(before) > fewEntries || len(after) > fewEntries {
		return differenceOfMany(before, after)
	}
	var w []Write
	for n, e := range after {
		if i := find(before, e.Key); i < 0 || !before[i].same(e) {
			if w == nil {
				w = make([]Write, 0, len(after)-n)
			}
			w = append(w, Write{"index/" + e.Key, e.bytes()})
		}
	}
	changed := len(w)
	for i, e := range before {
		if find(after, e.Key) < 0 && find(before, e.Key) == i {
			w = append(w, Write{Key: "index/" + e.Key})
		}
	}
	slices.SortFunc(w[changed:], func(a, b Write) int { return cmp.Compare(a.Key, b.Key) })
	return w
}

// fewEntries are compared faster one by one than by a map.
const fewEntries = 8

// find is where the last entry of a key is; -1: nowhere.
func find(entries []Entry, key string) int {
	for i, e := range slices.Backward(entries) {
		if e.Key == key {
			return i
		}
	}
	return -1
}

func differenceOfMany(before, after []Entry) []Write {
	old := make(map[string]Entry, len(before))
	for _, e := range before {
		old[e.Key] = e
	}
	var w []Write
	for _, e := range after {
		if was, ok := old[e.Key]; !ok || !was.same(e) {
			w = append(w, Write{"index/" + e.Key, e.bytes()})
		}
		delete(old, e.Key)
	}
	for _, key := range sortedKeys(old) {
		w = append(w, Write{Key: "index/" + key})
	}
	return w
}

func (e Entry) same(o Entry) bool {
	if e.View != nil || o.View != nil {
		return e.View == o.View
	}
	return bytes.Equal(e.Value, o.Value)
}

func (e Entry) bytes() []byte {
	switch {
	case e.View == nil && e.Value == nil:
		return []byte{} // nil would delete
	case e.View == nil:
		return e.Value
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(e.View)
	if err != nil {
		panic(fmt.Sprintf("the index entry %s cannot be encoded: %v", e.Key, err)) // whoever takes text checks that it is UTF-8
	}
	return raw
}
