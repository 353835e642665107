package consul

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
)

// scan reads JSON from front to back. Its methods say whether what they want was
// there, and stand behind it then.
type scan struct {
	b  []byte
	at int
}

func (s *scan) space() {
	for s.at < len(s.b) {
		switch s.b[s.at] {
		case ' ', '\n', '\t', '\r':
			s.at++
		default:
			return
		}
	}
}

// next takes one byte, after space.
func (s *scan) next(c byte) bool {
	if s.space(); s.at == len(s.b) || s.b[s.at] != c {
		return false
	}
	s.at++
	return true
}

func (s *scan) null() bool { return s.word("null") }

func (s *scan) word(w string) bool {
	if s.space(); !bytes.HasPrefix(s.b[s.at:], []byte(w)) {
		return false
	}
	s.at += len(w)
	return true
}

// object reads one, or null; field stands before each value.
func (s *scan) object(field func(name string) bool) bool {
	return s.null() || s.next('{') && s.list('}', func() bool {
		name, ok := s.text()
		return ok && s.next(':') && field(name)
	})
}

// array reads one, or null; item stands before each.
func (s *scan) array(item func() bool) bool {
	return s.null() || s.next('[') && s.list(']', item)
}

// list reads to the end of an object or an array.
func (s *scan) list(end byte, item func() bool) bool {
	if s.next(end) {
		return true
	}
	for item() {
		if s.next(end) {
			return true
		}
		if !s.next(',') {
			return false
		}
	}
	return false
}

// raw is a string with its quotes; plain if nothing in it is escaped.
func (s *scan) raw() (quoted []byte, plain, ok bool) {
	if !s.next('"') {
		return nil, false, false
	}
	begin := s.at - 1
	end := bytes.IndexByte(s.b[s.at:], '"')
	if end < 0 {
		return nil, false, false
	}
	if bytes.IndexByte(s.b[s.at:s.at+end], '\\') < 0 {
		s.at += end + 1
		return s.b[begin:s.at], true, true
	}
	for ; s.at < len(s.b); s.at++ {
		switch s.b[s.at] {
		case '\\':
			s.at++
		case '"':
			s.at++
			return s.b[begin:s.at], false, true
		}
	}
	return nil, false, false
}

func (s *scan) text() (text string, ok bool) {
	quoted, plain, ok := s.raw()
	if !ok {
		return "", false
	}
	if plain {
		return string(quoted[1 : len(quoted)-1]), true
	}
	return text, json.Unmarshal(quoted, &text) == nil
}

// base64 reads bytes; null is none.
func (s *scan) base64() (value []byte, ok bool) {
	if s.null() {
		return nil, true
	}
	quoted, plain, ok := s.raw()
	if !ok || !plain { // Consul escapes nothing in it
		return nil, false
	}
	quoted = quoted[1 : len(quoted)-1]
	value = make([]byte, base64.StdEncoding.DecodedLen(len(quoted)))
	n, err := base64.StdEncoding.Decode(value, quoted)
	return value[:n], err == nil
}

func (s *scan) number() (n uint64, ok bool) {
	s.space()
	begin := s.at
	for s.at < len(s.b) && s.b[s.at] >= '0' && s.b[s.at] <= '9' {
		d := uint64(s.b[s.at] - '0')
		if n > (math.MaxUint64-d)/10 {
			return 0, false
		}
		n, s.at = 10*n+d, s.at+1
	}
	return n, s.at > begin
}

const maxDepth = 32 // of what is skipped

func (s *scan) skip() bool { return s.skipTo(maxDepth) }

func (s *scan) skipTo(depth int) bool {
	if s.space(); s.at == len(s.b) || depth == 0 {
		return false
	}
	inner := func() bool { return s.skipTo(depth - 1) }
	switch s.b[s.at] {
	case '{':
		return s.object(func(string) bool { return inner() })
	case '[':
		return s.array(inner)
	case '"':
		_, _, ok := s.raw()
		return ok
	}
	return s.null() || s.word("true") || s.word("false") || s.float()
}

func (s *scan) float() bool {
	begin := s.at
	for s.at < len(s.b) && bytes.IndexByte([]byte("+-.0123456789eE"), s.b[s.at]) >= 0 {
		s.at++
	}
	_, err := strconv.ParseFloat(string(s.b[begin:s.at]), 64)
	return err == nil
}
