package instance

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/troupe-cloud/troupe/messages/encode/encodetest"
)

// TestAppendJSON: a state is written as encoding/json writes it, every field.
func TestAppendJSON(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var s State
		encodetest.Fill(random, reflect.ValueOf(&s).Elem())
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.AppendJSON(nil); err != nil || string(got) != string(want) {
			t.Fatalf("%v\ngot  %s\nwant %s", err, got, want)
		}
	}
}
