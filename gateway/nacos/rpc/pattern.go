package rpc

import (
	"fmt"
	"strings"

	"github.com/troupe-cloud/troupe/messages"
)

// patternSeparator stands between the parts of a fuzzy pattern.
const patternSeparator = ">>"

// glob is one part of a pattern: a literal, *, x*, *x or *x*.
type glob struct {
	text          string
	before, after bool // anything may stand there
}

func parseGlob(s string) glob {
	if s == "*" {
		return glob{before: true, after: true}
	}
	var g glob
	g.text, g.after = strings.CutSuffix(s, "*")
	g.text, g.before = strings.CutPrefix(g.text, "*")
	return g
}

// literal says whether only one name matches.
func (g glob) literal() bool { return !g.before && !g.after }

func (g glob) matches(s string) bool {
	switch {
	case g.before && g.after:
		return strings.Contains(s, g.text)
	case g.before:
		return strings.HasSuffix(s, g.text)
	case g.after:
		return strings.HasPrefix(s, g.text)
	}
	return s == g.text
}

// names is which names of a namespace a pattern is about.
type names struct {
	namespace   string
	group, name glob
}

// parsePattern reads NAMESPACE>>GROUP>>NAME. Invalid if it is none.
func parsePattern(s string) (names, error) {
	parts := strings.Split(s, patternSeparator)
	if len(s) > maxPatternBytes || len(parts) != 3 || parts[1] == "" || parts[2] == "" {
		return names{}, fmt.Errorf("a pattern is NAMESPACE>>GROUP>>NAME and has at most %d bytes: %w", maxPatternBytes, messages.Invalid)
	}
	if strings.Contains(parts[0], "*") {
		return names{}, fmt.Errorf("a pattern is about one namespace: %w", messages.Invalid)
	}
	return names{parts[0], parseGlob(parts[1]), parseGlob(parts[2])}, nil
}

// only is the one name that a part of the pattern is about; "" if it is many.
func (g glob) only() string {
	if g.literal() {
		return g.text
	}
	return ""
}
