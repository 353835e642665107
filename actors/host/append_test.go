package host

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
		var c Claim
		encodetest.Fill(random, reflect.ValueOf(&c).Elem())
		same(t, c)
		var s State
		encodetest.Fill(random, reflect.ValueOf(&s).Elem())
		same(t, s)
	}
}

func same(t *testing.T, v encode.Appender) {
	t.Helper()
	want, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := v.AppendJSON(nil); err != nil || string(got) != string(want) {
		t.Fatalf("%v\ngot  %s\nwant %s", err, got, want)
	}
}
