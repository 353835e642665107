package eureka

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Names of metadata are any text, names of elements are not. Eureka writes them as
// the library that it uses does: $ as _-, an underscore twice, and what no name may
// hold as _. and its code in four digits. That is also why a client reads
// apps__hashcode.

// toXMLName is a text as the name of an element.
func toXMLName(s string) string {
	if plainName(s) {
		return s
	}
	var b strings.Builder
	for n, r := range s {
		switch {
		case r == '$':
			b.WriteString("_-")
		case r == '_':
			b.WriteString("__")
		case nameRune(r, n == 0):
			b.WriteRune(r)
		case r > 0xffff:
			b.WriteString("_.fffd")
		default:
			fmt.Fprintf(&b, "_.%04x", r)
		}
	}
	if b.Len() == 0 {
		return "_.0000"
	}
	return b.String()
}

// plainName says whether a text is a name as it is, as nearly all are.
func plainName(s string) bool {
	for n := range len(s) {
		c := s[n]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (n == 0 || (c < '0' || c > '9') && c != '.' && c != '-') {
			return false
		}
	}
	return s != ""
}

// nameRune says whether a character may be in a name, or begin one.
func nameRune(r rune, first bool) bool {
	switch {
	case r == utf8.RuneError:
		return false
	case unicode.IsLetter(r) && r < 0x2000:
		return true
	}
	return !first && (r >= '0' && r <= '9' || r == '.' || r == '-')
}

// fromXMLName is toXMLName's inverse; what cannot be its work stays as it is.
func fromXMLName(s string) string {
	if !strings.Contains(s, "_") {
		return s
	}
	var b strings.Builder
	for s != "" {
		at := strings.IndexByte(s, '_')
		if at < 0 {
			break
		}
		b.WriteString(s[:at])
		s = s[at:]
		switch {
		case strings.HasPrefix(s, "__"):
			b.WriteByte('_')
			s = s[2:]
		case strings.HasPrefix(s, "_-"):
			b.WriteByte('$')
			s = s[2:]
		case len(s) >= 6 && s[1] == '.' && isHex(s[2:6]):
			code, _ := strconv.ParseUint(s[2:6], 16, 32) // it is a number
			if code != 0 {
				b.WriteRune(rune(code))
			}
			s = s[6:]
		default:
			b.WriteByte('_')
			s = s[1:]
		}
	}
	b.WriteString(s)
	return b.String()
}

func isHex(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil
}
