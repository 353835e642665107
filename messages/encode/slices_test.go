package encode

import (
	"encoding/json"
	"testing"
)

func TestSlices(t *testing.T) {
	for _, raw := range [][]byte{nil, {}, {0}, []byte("ab"), []byte("abc"), []byte("\xff\xfe???>>>")} {
		want, err := json.Marshal(raw)
		if got := AppendBytes(nil, raw); err != nil || string(got) != string(want) {
			t.Errorf("%q: got %s, want %s", raw, got, want)
		}
	}
	for _, all := range [][]string{nil, {}, {""}, {"a", "<b>", "\x00\u2028"}} {
		want, err := json.Marshal(all)
		if got := AppendTexts(nil, all); err != nil || string(got) != string(want) {
			t.Errorf("%q: got %s, want %s", all, got, want)
		}
	}
}

// TestMarshal: what was returned stays as it is, whatever comes after it.
func TestMarshal(t *testing.T) {
	first, err := Marshal(thing{"first"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Marshal(thing{"other"}); err != nil || string(first) != `{"name":"first"}` {
		t.Errorf("%v, %s", err, first)
	}
}

type thing struct{ name string }

func (x thing) AppendJSON(b []byte) ([]byte, error) {
	o := Open(b)
	o.Text("name", x.name)
	return o.Close()
}
