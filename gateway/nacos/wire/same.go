package wire

import (
	"hash/maphash"
	"sync/atomic"
)

// maxSame is how many maps a Same keeps, and maxSameBytes how long one may be.
const (
	maxSame      = 4096
	maxSameBytes = 1024
	sameWays     = 4 // places in which one may be
)

// Same keeps one of the maps that are equal: nearly all instances of a service say
// the same of themselves, and a map takes much more room than what stands in it. Once
// it is full, only what comes twice takes the place of another.
// Safe for concurrent use; the zero value is ready.
type Same struct {
	maps, read sameTable // read: by their text, as it came
}

// Read is TextMap of what comes next, of which nothing is made if the same text has
// been read before; nobody changes what it returns.
func (s *Same) Read(from *Scanner) map[string]string {
	raw := from.Raw()
	if from.err != nil {
		return nil
	}
	known, h := s.read.get(raw)
	if known != nil {
		return known.m
	}
	text := Scan(raw)
	m := text.TextMap()
	if text.err != nil {
		from.fail()
		return nil
	}
	if at := s.read.place(h, len(raw)); at != nil {
		m = s.Map(m)
		at.Store(&sameMap{string(raw), m})
	}
	return m
}

// Map is a map equal to m, which may be m; nobody changes either of them from now
// on.
func (s *Same) Map(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	var room [256]byte
	key := AppendTextMap(room[:0], m)
	known, h := s.maps.get(key)
	if known != nil {
		return known.m
	}
	if at := s.maps.place(h, len(key)); at != nil {
		at.Store(&sameMap{string(key), m})
	}
	return m
}

// sameTable finds maps by a text. Without a lock: who loses a race keeps a map of its
// own.
type sameTable struct {
	maps [maxSame]atomic.Pointer[sameMap]
	seen [maxSame]atomic.Uint32 // a part of the hash of what last found no place
}

type sameMap struct {
	text string
	m    map[string]string
}

var sameSeed = maphash.MakeSeed()

// get is what is kept of a text; nil: nothing. The hash is for place.
func (t *sameTable) get(text []byte) (*sameMap, uint64) {
	if len(text) > maxSameBytes {
		return nil, 0
	}
	h := maphash.Bytes(sameSeed, text)
	for i := range uint64(sameWays) {
		if known := t.maps[(h+i)%maxSame].Load(); known != nil && known.text == string(text) {
			return known, h
		}
	}
	return nil, h
}

// place is where a text of that hash and length is to be kept; nil: it is not.
func (t *sameTable) place(h uint64, size int) *atomic.Pointer[sameMap] {
	if size > maxSameBytes {
		return nil
	}
	for i := range uint64(sameWays) {
		if at := &t.maps[(h+i)%maxSame]; at.Load() == nil {
			return at
		}
	}
	if mark := uint32(h >> 32); t.seen[h%maxSame].Swap(mark) != mark {
		return nil // it has come once
	}
	return &t.maps[(h+h>>62)%maxSame]
}
