package project

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/troupe-cloud/troupe/messages/encode"
	"github.com/troupe-cloud/troupe/messages/encode/encodetest"
)

// TestAppendJSON: what is stored is written as encoding/json writes it, every field.
func TestAppendJSON(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		var s State
		encodetest.Fill(random, reflect.ValueOf(&s).Elem())
		var share Share
		encodetest.Fill(random, reflect.ValueOf(&share).Elem())
		for _, v := range []encode.Appender{s, share} {
			want, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := v.AppendJSON(nil); err != nil || string(got) != string(want) {
				t.Fatalf("%v\ngot  %s\nwant %s", err, got, want)
			}
		}
	}
}
