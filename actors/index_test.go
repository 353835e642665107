package actors

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// TestDifference: few entries and many are told apart in two ways that come to the
// same, and what they write makes the one set of the other.
func TestDifference(t *testing.T) {
	t.Parallel()
	same := func(a, b Write) bool { return a.Key == b.Key && bytes.Equal(a.Value, b.Value) }
	rng := rand.New(rand.NewPCG(1, 1))
	some := func() (entries []Entry) {
		for i := range rng.IntN(fewEntries + 1) {
			if rng.IntN(2) == 0 {
				entries = append(entries, Entry{Key: fmt.Sprint(i), Value: []byte{byte(rng.IntN(2))}})
			}
		}
		rng.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
		return entries
	}
	for range 2000 {
		before, after := some(), some()
		few, many := difference(before, after), differenceOfMany(before, after)
		if !slices.EqualFunc(few, many, same) {
			t.Fatalf("from %v to %v: %v, or %v", before, after, few, many)
		}
		stored := map[string]string{}
		for _, e := range before {
			stored["index/"+e.Key] = string(e.Value)
		}
		for _, w := range few {
			if stored[w.Key] = string(w.Value); w.Value == nil {
				delete(stored, w.Key)
			}
		}
		for _, e := range after {
			if stored["index/"+e.Key] != string(e.Value) {
				t.Fatalf("from %v to %v: %v", before, after, few)
			}
		}
		if len(stored) != len(after) {
			t.Fatalf("from %v to %v: %v", before, after, few)
		}
	}
}

// TestRowsAreWrittenOnce: of each row that changed, what it has become, in order.
func TestRowsAreWrittenOnce(t *testing.T) {
	t.Parallel()
	table := Table[string]{}.Set("c", "1").Set("a", "2").Set("c", "3").Set("b", "4").Delete("b")
	one, two := wrapperspb.String("1"), wrapperspb.String("2")
	cold := Cold{}.Set("c", one).Set("a", two).Set("c", two).Set("b", one).Delete("b").Set("d", wrapperspb.String(""))
	raw, err := proto.Marshal(two)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		rows Rows
		want []Write
	}{
		"table":         {&table, []Write{{"a", []byte(`"2"`)}, {"b", nil}, {"c", []byte(`"3"`)}}},
		"cold":          {&cold, []Write{{"a", raw}, {"b", nil}, {"c", raw}, {"d", []byte{}}}},
		"empty table":   {&Table[string]{}, nil},
		"nothing colds": {&Cold{}, nil},
	} {
		got, err := tt.rows.writes()
		if err != nil || fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", tt.want) {
			t.Errorf("%s: %#v, %v", name, got, err)
		}
	}
}
