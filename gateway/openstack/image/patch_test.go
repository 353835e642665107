package image

import (
	"errors"
	"maps"
	"testing"

	"github.com/troupe-cloud/troupe/messages"
)

func TestPatch(t *testing.T) {
	now := &messages.ImageView{Properties: map[string]string{"has": "1"}}
	for name, tt := range map[string]struct {
		patch string
		want  error
	}{
		"replace a field":            {`[{"op":"replace","path":"/name","value":"n"}]`, nil},
		"null name":                  {`[{"op":"replace","path":"/name","value":null}]`, nil},
		"replace a property":         {`[{"op":"replace","path":"/has","value":"2"}]`, nil},
		"replace an absent property": {`[{"op":"replace","path":"/new","value":"2"}]`, messages.Conflict},
		"add, then replace":          {`[{"op":"add","path":"/new","value":"1"},{"op":"replace","path":"/new","value":"2"}]`, nil},
		"remove twice":               {`[{"op":"remove","path":"/has"},{"op":"remove","path":"/has"}]`, messages.Conflict},
		"version 2.0":                {`[{"replace":"/name","value":"n"},{"remove":"/has"}]`, nil},
		"unknown operation":          {`[{"op":"move","path":"/name","value":"n"}]`, messages.Invalid},
		"no value":                   {`[{"op":"add","path":"/name"}]`, messages.Invalid},
		"no path":                    {`[{"op":"add","value":"n"}]`, messages.Invalid},
		"path without a slash":       {`[{"op":"add","path":"name","value":"n"}]`, messages.Invalid},
		"path too deep":              {`[{"op":"add","path":"/tags/0","value":"n"}]`, messages.Invalid},
		"bad escape":                 {`[{"op":"add","path":"/a~2","value":"n"}]`, messages.Invalid},
		"property not text":          {`[{"op":"add","path":"/a","value":5}]`, messages.Invalid},
		"flag not a boolean":         {`[{"op":"replace","path":"/protected","value":"yes"}]`, messages.Invalid},
		"fraction":                   {`[{"op":"replace","path":"/min_disk","value":1.5}]`, messages.Invalid},
		"tags not a list":            {`[{"op":"replace","path":"/tags","value":"x"}]`, messages.Invalid},
		"the id":                     {`[{"op":"add","path":"/id","value":"x"}]`, messages.Denied},
		"the owner":                  {`[{"op":"replace","path":"/owner","value":"x"}]`, messages.Denied},
		"a reserved name":            {`[{"op":"add","path":"/locations","value":[]}]`, messages.Denied},
		"operation not an object":    {`["x"]`, messages.Invalid},
		"not a list":                 {`{"op":"add"}`, messages.Invalid},
	} {
		ops, err := parsePatch([]byte(tt.patch))
		if err == nil {
			_, err = changes(ops, now)
		}
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
	ops, err := parsePatch([]byte(`[{"op":"remove","path":"/has"},{"op":"add","path":"/has","value":"3"},{"op":"add","path":"/t~1x","value":""}]`))
	if err != nil {
		t.Fatal(err)
	}
	u, err := changes(ops, now)
	if want := map[string]string{"has": "3", "t/x": ""}; err != nil || !maps.Equal(u.SetProperties, want) {
		t.Errorf("got %v, %v", u, err)
	}
}

func FuzzPatch(f *testing.F) {
	for _, s := range []string{`[]`, `[{"op":"replace","path":"/name","value":"n"}]`, `[{"replace":"/name","value":"n"}]`,
		`[{"op":"remove","path":"/a~1b"}]`, `[{"op":"add","path":"/tags","value":["a"]}]`, `[{"op":"add","path":"/min_ram","value":1e99}]`, `null`, `[null]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		ops, err := parsePatch(raw)
		if err == nil {
			_, err = changes(ops, &messages.ImageView{Properties: map[string]string{"a/b": ""}})
		}
		if messages.KindOf(err) == messages.ErrorKind_ERROR_KIND_INTERNAL {
			t.Fatalf("a refusal without a kind: %v", err)
		}
	})
}

func FuzzNewImage(f *testing.F) {
	for _, s := range []string{`{}`, `null`, `{"id":"11111111-1111-4111-8111-111111111111","name":null}`, `{"tags":null,"protected":true}`, `{"x":"y","owner":"o"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := newImage(raw)
		if err == nil && !isUUID(v.Id) {
			t.Fatalf("an image without an id: %v", v)
		}
		if messages.KindOf(err) == messages.ErrorKind_ERROR_KIND_INTERNAL {
			t.Fatalf("a refusal without a kind: %v", err)
		}
	})
}

func FuzzRange(f *testing.F) {
	for _, s := range []string{"", "bytes=0-3", "bytes=-5", "bytes=7-", "bytes=9-1", "bytes=18446744073709551615-", "bytes=1-2,3-4"} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size <= 0 {
			return
		}
		first, length, err := byteRange(header, size)
		if err == nil && (first < 0 || length <= 0 || first > size-length) {
			t.Fatalf("%q of %d: %d+%d", header, size, first, length)
		}
	})
}
