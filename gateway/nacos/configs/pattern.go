package configs

import (
	"strings"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
)

// pattern is what a search says of a text. The zero pattern matches everything.
type pattern struct {
	said  bool
	parts []string // between the stars; one: the text itself
}

// parsePattern reads what is asked for. In a blurred search a star stands for
// anything; a text without one is itself. Nothing, or only stars, is everything.
func parsePattern(s string, blur bool) (pattern, error) {
	s = strings.TrimSpace(s)
	if len(s) > maxPattern {
		return pattern{}, api.ParameterInvalid.Errorf("a pattern has at most %d bytes", maxPattern)
	}
	if s == "" || blur && strings.Trim(s, "*") == "" {
		return pattern{}, nil
	}
	p := pattern{said: true, parts: []string{s}}
	if blur {
		p.parts = strings.Split(s, "*")
	}
	return p, nil
}

// literal is the one text that matches, if there is but one.
func (p pattern) literal() (string, bool) {
	if p.said && len(p.parts) == 1 {
		return p.parts[0], true
	}
	return "", false
}

// prefix is what whatever matches begins with.
func (p pattern) prefix() string {
	if !p.said {
		return ""
	}
	return p.parts[0]
}

// matches looks at each byte of s a bounded number of times: the parts between the
// stars are found one after the other, each at its first place.
func (p pattern) matches(s string) bool {
	if !p.said {
		return true
	}
	if len(p.parts) == 1 {
		return s == p.parts[0]
	}
	first, last := p.parts[0], p.parts[len(p.parts)-1]
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, part := range p.parts[1 : len(p.parts)-1] {
		at := strings.Index(s, part)
		if at < 0 {
			return false
		}
		s = s[at+len(part):]
	}
	return true
}
