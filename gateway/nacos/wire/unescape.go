package wire

import (
	"unicode/utf16"
	"unicode/utf8"
)

// escaped reads the rest of a string that began at from and has a backslash at i.
func (s *Scanner) escaped(from, i int) []byte {
	out := append(make([]byte, 0, min(len(s.b)-from, 2*(i-from)+64)), s.b[from:i]...)
	for i < len(s.b) {
		switch c := s.b[i]; {
		case c == '"':
			s.i = i + 1
			if utf8.Valid(out) {
				return out
			}
			s.fail()
			return nil
		case c == '\\' && i+1 < len(s.b):
			var n int
			if out, n = unescape(out, s.b[i+1:]); n == 0 {
				s.i = i
				s.fail()
				return nil
			}
			i += 1 + n
		case c < ' ' || c == '\\':
			s.i = i
			s.fail()
			return nil
		default:
			out = append(out, c)
			i++
		}
	}
	s.i = len(s.b)
	s.fail()
	return nil
}

var plain = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unescape appends what stands behind a backslash, and says how many bytes that
// was; 0: it is no escape. Half a surrogate pair is the replacement character.
func unescape(out, b []byte) ([]byte, int) {
	if c := plain[b[0]]; c != 0 {
		return append(out, c), 1
	}
	r, ok := unit(b)
	if !ok {
		return out, 0
	}
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(out, r), 5
	}
	if len(b) > 6 && b[5] == '\\' {
		if low, ok := unit(b[6:]); ok {
			if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
				return utf8.AppendRune(out, both), 11
			}
		}
	}
	return utf8.AppendRune(out, utf8.RuneError), 5
}

// unit reads u and four hexadecimal digits.
func unit(b []byte) (r rune, ok bool) {
	if len(b) < 5 || b[0] != 'u' {
		return 0, false
	}
	for _, c := range b[1:5] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// isNumber says whether b is a number as JSON writes it.
func isNumber(b []byte) bool {
	if len(b) > 0 && b[0] == '-' {
		b = b[1:]
	}
	whole := digits(b)
	if whole == 0 || whole > 1 && b[0] == '0' {
		return false
	}
	b = b[whole:]
	if len(b) > 0 && b[0] == '.' {
		n := digits(b[1:])
		if n == 0 {
			return false
		}
		b = b[1+n:]
	}
	if len(b) > 0 && (b[0] == 'e' || b[0] == 'E') {
		b = b[1:]
		if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
			b = b[1:]
		}
		n := digits(b)
		return n > 0 && n == len(b)
	}
	return len(b) == 0
}

func digits(b []byte) (n int) {
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	return n
}

// intern makes a string; those that nearly every request holds are not made anew.
func intern(b []byte) string {
	switch string(b) {
	case "":
		return ""
	case "public":
		return "public"
	case "DEFAULT_GROUP":
		return "DEFAULT_GROUP"
	case "DEFAULT":
		return "DEFAULT"
	case "naming":
		return "naming"
	case "config":
		return "config"
	case "registerInstance":
		return "registerInstance"
	}
	return string(b)
}
