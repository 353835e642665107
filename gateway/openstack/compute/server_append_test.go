package compute

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/troupe-cloud/troupe/messages/encode"
	"github.com/troupe-cloud/troupe/messages/encode/encodetest"
)

// TestAppendJSON: a server is written as json.Encoder writes it, with every field
// there, null or left out.
func TestAppendJSON(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	values := []any{nil, null, noText, "text & <more>", no, true, zero, zeroLong, noItems, []string{"a", "\""}, 1.5,
		imageView{ID: "i", Links: []link{{Rel: "bookmark", Href: "http://h/x?a&b"}}}, flavorLink{ID: "f"},
		flavorOf{VCPUs: 1, Name: "n", ExtraSpecs: map[string]string{"b": "2", "a": "<1>"}}}
	for range 1000 {
		s := &serverView{}
		fillView(random, reflect.ValueOf(s).Elem(), values)
		for _, body := range []encode.Appender{serverBody{s}, serversBody{[]*serverView{s, s}, s.Links}} {
			var want bytes.Buffer
			e := json.NewEncoder(&want)
			e.SetEscapeHTML(false)
			if err := e.Encode(body); err != nil {
				t.Fatal(err)
			}
			if got, err := body.AppendJSON(nil); err != nil || string(got)+"\n" != want.String() {
				t.Fatalf("%v\ngot  %s\nwant %s", err, got, want.String())
			}
		}
	}
}

func fillView(r *rand.Rand, v reflect.Value, values []any) {
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() != reflect.Interface {
			encodetest.Fill(r, f)
		} else if x := values[r.IntN(len(values))]; x != nil {
			f.Set(reflect.ValueOf(x))
		}
	}
}
