package wire

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/troupe-cloud/troupe/messages"
)

// maxDepth is how deep what is skipped may be nested.
const maxDepth = 64

var errJSON = errors.New("this is no JSON that was expected here")

// Scanner reads JSON from front to back without building anything: for requests
// that come by the ten thousand. It is lenient where Nacos is: null stands for an
// absent value, numbers and booleans may stand in quotes, and fields that nobody
// asks about are skipped. After the first thing that is no JSON every method
// returns the zero value, and Err says so. What it reads may be changed afterwards.
type Scanner struct {
	b     []byte
	i     int
	first bool // directly behind an opening bracket
	err   error
}

// Scan begins to read b.
func Scan(b []byte) *Scanner { return &Scanner{b: b} }

// Reset begins to read b anew.
func (s *Scanner) Reset(b []byte) { *s = Scanner{b: b} }

// Err is messages.Invalid if what was read is no JSON, or not text in UTF-8.
func (s *Scanner) Err() error {
	if s.err == nil {
		return nil
	}
	return fmt.Errorf("%w (byte %d): %w", s.err, s.i, messages.Invalid)
}

// End says that nothing may follow, and returns Err.
func (s *Scanner) End() error {
	if s.blank(); s.err == nil && s.i < len(s.b) {
		s.fail()
	}
	return s.Err()
}

func (s *Scanner) fail() {
	if s.err == nil {
		s.err = errJSON
	}
}

func (s *Scanner) blank() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

// peek is the next byte that counts; 0 at the end, or after an error.
func (s *Scanner) peek() byte {
	if s.blank(); s.err != nil || s.i >= len(s.b) {
		return 0
	}
	return s.b[s.i]
}

func (s *Scanner) word(w string) bool {
	if s.err == nil && len(s.b)-s.i >= len(w) && string(s.b[s.i:s.i+len(w)]) == w {
		s.i += len(w)
		s.first = false
		return true
	}
	return false
}

func (s *Scanner) null() bool { return s.peek() == 'n' && s.word("null") }

// Object enters an object; false for null. Then call Field until it says false.
func (s *Scanner) Object() bool { return s.open('{') }

// Array enters an array; false for null. Then call More until it says false.
func (s *Scanner) Array() bool { return s.open('[') }

func (s *Scanner) open(bracket byte) bool {
	if s.null() {
		return false
	}
	if s.peek() != bracket {
		s.fail()
		return false
	}
	s.i++
	s.first = true
	return true
}

// next moves behind the comma, if one is due; false at the closing bracket.
func (s *Scanner) next(closing byte) bool {
	c := s.peek()
	switch {
	case c == closing:
		s.i++
		s.first = false
		return false
	case s.first:
		s.first = false
	case c == ',':
		s.i++
	default:
		s.fail()
	}
	return s.err == nil
}

// Field is the name of the next field of the object that was entered; read or Skip
// its value before the next call. False: there is none, and the object is left. The
// name is good until then.
func (s *Scanner) Field() (name []byte, ok bool) {
	if !s.next('}') {
		return nil, false
	}
	if s.peek() != '"' {
		s.fail()
		return nil, false
	}
	name = s.quoted()
	if s.peek() != ':' {
		s.fail()
		return nil, false
	}
	s.i++
	return name, s.err == nil
}

// More says whether there is another element in the array that was entered; if
// not, it is left.
func (s *Scanner) More() bool { return s.next(']') }

// Text reads a string; null is "", and numbers and booleans are as they stand.
func (s *Scanner) Text() string {
	switch c := s.peek(); {
	case c == '"':
		return intern(s.quoted())
	case c == 'n' && s.word("null"):
		return ""
	default:
		return string(s.literal())
	}
}

// Int reads a whole number; null is 0. What is beyond ±limit is limit, so that
// it is refused as out of bounds and not taken for another number.
func (s *Scanner) Int(limit int64) int64 {
	raw := s.bare()
	if len(raw) == 0 {
		return 0
	}
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil && n >= -limit && n <= limit {
		return n
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		s.fail()
		return 0
	}
	if f >= -float64(limit) && f <= float64(limit) {
		return int64(f)
	}
	return limit
}

// Float reads a number; null is otherwise.
func (s *Scanner) Float(otherwise float64) float64 {
	raw := s.bare()
	if len(raw) == 0 {
		return otherwise
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) || math.IsNaN(f) {
		s.fail()
		return otherwise
	}
	return f
}

// Bool reads a boolean; null is otherwise.
func (s *Scanner) Bool(otherwise bool) bool {
	switch raw := s.bare(); string(raw) {
	case "true":
		return true
	case "false":
		return false
	case "":
	default:
		s.fail()
	}
	return otherwise
}

// TextMap reads an object of strings; nil if it is empty or null.
func (s *Scanner) TextMap() map[string]string {
	if !s.Object() {
		return nil
	}
	var m map[string]string
	for {
		key, ok := s.Field()
		if !ok {
			return m
		}
		if m == nil {
			m = map[string]string{}
		}
		k := intern(key)
		m[k] = s.Text()
	}
}

// Raw is one value of any kind as it stands; a part of what is read.
func (s *Scanner) Raw() []byte {
	s.blank()
	from := s.i
	s.Skip()
	return s.b[from:s.i]
}

// Skip reads past one value of any kind.
func (s *Scanner) Skip() { s.skip(0) }

func (s *Scanner) skip(depth int) {
	if depth > maxDepth {
		s.fail()
	}
	switch s.peek() {
	case '"':
		s.quoted()
	case '{':
		for s.Object(); ; {
			if _, ok := s.Field(); !ok {
				return
			}
			s.skip(depth + 1)
		}
	case '[':
		for s.Array(); s.More(); {
			s.skip(depth + 1)
		}
	default:
		s.literal()
	}
}

// bare is a literal, or what stands in a string; nothing for null and "".
func (s *Scanner) bare() []byte {
	if s.null() {
		return nil
	}
	if s.peek() == '"' {
		return s.quoted()
	}
	return s.literal()
}

// literal reads a number, true, false or null.
func (s *Scanner) literal() []byte {
	s.peek()
	from := s.i
	for s.err == nil && s.i < len(s.b) && isLiteral(s.b[s.i]) {
		s.i++
	}
	raw := s.b[from:s.i]
	switch string(raw) {
	case "true", "false", "null":
	default:
		if !isNumber(raw) {
			s.fail()
			return nil
		}
	}
	s.first = false
	return raw
}

func isLiteral(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'E'
}

// quoted reads a string and is good until the next call of anything.
func (s *Scanner) quoted() []byte {
	if s.err != nil {
		return nil
	}
	s.first = false
	from := s.i + 1
	ascii := true
	for i := from; i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '"':
			s.i = i + 1
			if raw := s.b[from:i]; ascii || utf8.Valid(raw) {
				return raw
			}
			s.fail()
			return nil
		case c == '\\':
			return s.escaped(from, i)
		case c < ' ':
			s.i = i
			s.fail()
			return nil
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	s.i = len(s.b)
	s.fail()
	return nil
}
