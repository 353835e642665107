package order

import (
	"strconv"
	"strings"
	"unicode"
)

// MaxHostname is how long the host name of a server may be, in characters.
const MaxHostname = 63

// Hostname makes a host name of a server's name, by Nova's rules: what is in no
// host name is dropped, blanks, dots and underlines become hyphens, and 63
// characters are enough. A name of which nothing is left gives one of the id.
func Hostname(name, id string) string {
	var latin strings.Builder
	for _, c := range name {
		if c <= 0xff {
			latin.WriteRune(c)
		}
	}
	runes := []rune(latin.String())
	if len(runes) > MaxHostname {
		runes = runes[:MaxHostname]
	}
	var b strings.Builder
	for _, c := range strings.ToLower(string(runes)) {
		switch {
		case c == ' ' || c == '_' || c == '.':
			b.WriteByte('-')
		case c == '-' || c < unicode.MaxASCII && (unicode.IsLetter(c) || unicode.IsDigit(c)):
			b.WriteRune(c)
		}
	}
	if h := strings.Trim(b.String(), "-."); h != "" {
		return h
	}
	return "server-" + id
}

// Numbered is the host name of the nth server of one request.
func Numbered(hostname string, n int) string {
	suffix := "-" + strconv.Itoa(n)
	if room := MaxHostname - len(suffix); len(hostname) > room {
		hostname = strings.TrimRight(hostname[:room], "-")
	}
	return hostname + suffix
}
