package consul

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/cluster/store"
)

// Escaped keys sort as the keys do, keep prefixes, and come back.
func FuzzEscape(f *testing.F) {
	for _, pair := range [][2]string{{"", "a"}, {"a/b", "a/b/c"}, {"a b", "a!b"}, {"~", "}"}, {"\x00", "\xff"}, {"!", "\""}, {"é", "z"}} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		ea, eb := escape(a), escape(b)
		if strings.Compare(a, b) != strings.Compare(ea, eb) || strings.HasPrefix(b, a) != strings.HasPrefix(eb, ea) {
			t.Errorf("%q is %q, %q is %q", a, ea, b, eb)
		}
		if back, err := unescape(ea); err != nil || back != a {
			t.Errorf("%q came back as %q, %v", a, back, err)
		}
		if key, err := unescape(a); err == nil && escape(key) != a {
			t.Errorf("%q is read as %q, which is written %q", a, key, escape(key))
		}
	})
}

// What decodeHead takes is what encode gives; all else is corrupt.
func FuzzDecodeHead(f *testing.F) {
	for _, h := range []head{{value: []byte("x")}, {revision: 7}, {parts: 2, length: 300_000}, {revision: 1, parts: 1, length: 1}} {
		h.mark[3] = 9
		raw := h.encode("d/a")
		f.Add("d/a", raw)
		f.Add("d/b", raw)
		f.Add("d/a", raw[:len(raw)/2])
	}
	f.Add("d/a", []byte{})
	f.Fuzz(func(t *testing.T, name string, raw []byte) {
		h, err := decodeHead(name, raw)
		if err != nil {
			if !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("got %v", err)
			}
			// The same with a checksum that fits must not be read past its end.
			if len(raw) > crcSize {
				h.value = nil
				_, _ = decodeHead(name, resum(name, raw))
			}
			return
		}
		if again := h.encode(name); !bytes.Equal(again, raw) {
			t.Errorf("%x came back as %x", raw, again)
		}
	})
}

func resum(name string, raw []byte) []byte {
	body := append([]byte{magic0, magic1, formatVersion}, raw[min(3, len(raw)-crcSize):len(raw)-crcSize]...)
	sum := checksum(name, body)
	return append(body, byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum))
}

// A chunk is a list of entries and deletes, or corrupt.
func FuzzDecodeChunk(f *testing.F) {
	set, gone := &write{name: "d/a", head: head{value: []byte("v")}}, &write{name: "d/b", gone: true}
	f.Add(append(encodeChunked(set), encodeChunked(gone)...))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Add([]byte{1, 'a', 3, 'x'})
	f.Fuzz(func(t *testing.T, raw []byte) {
		writes, err := decodeChunk("p/x", raw)
		if err != nil {
			if !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("got %v", err)
			}
			return
		}
		var again []byte
		for i := range writes {
			again = append(again, encodeChunked(&writes[i])...)
		}
		if reread, err := decodeChunk("p/x", again); err != nil || len(reread) != len(writes) {
			t.Errorf("%d writes came back as %d, %v", len(writes), len(reread), err)
		}
	})
}

// Names are read up to a bound, and what is no list of names is an error.
func FuzzDecodeNames(f *testing.F) {
	for _, s := range []string{`[]`, `["a","b"]`, `null`, `[1]`, `["a"`, `{"a":"b"}`, `[["a"]]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if names, err := decodeNames(bytes.NewReader(raw), 3); len(names) > 3 || err != nil && names != nil {
			t.Errorf("%q, %v", names, err)
		}
	})
}

// The marker names a cluster, or is corrupt.
func FuzzDecodeMarker(f *testing.F) {
	f.Add([]byte(`{"cluster":"a","format":1}`))
	f.Add([]byte(`{"cluster":"","format":-1}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := decodeMarker("troupe/cluster", raw)
		if err == nil && (m.Cluster == "" || m.Format < 1) || err != nil && !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("%+v, %v", m, err)
		}
	})
}
