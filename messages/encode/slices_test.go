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
