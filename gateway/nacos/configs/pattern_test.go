package configs

import (
	"errors"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/actors/access"
	"github.com/troupe-cloud/troupe/messages"
)

func TestPattern(t *testing.T) {
	for name, tt := range map[string]struct {
		pattern, text string
		blur, want    bool
	}{
		"nothing is everything":        {"", "a", true, true},
		"stars are everything":         {"**", "a", true, true},
		"a text is itself":             {"a", "a", true, true},
		"and nothing else":             {"a", "ab", true, false},
		"a beginning":                  {"a*", "ab", true, true},
		"an end":                       {"*b", "ab", true, true},
		"a middle":                     {"*b*", "abc", true, true},
		"both ends":                    {"a*c", "abc", true, true},
		"ends that overlap":            {"ab*ba", "aba", true, false},
		"parts in order":               {"*a*b*", "xaxbx", true, true},
		"parts in another order":       {"*b*a*", "xaxbx", true, false},
		"a star in an accurate search": {"a*", "ab", false, false},
		"which is a star":              {"a*", "a*", false, true},
	} {
		p, err := parsePattern(tt.pattern, tt.blur)
		if err != nil || p.matches(tt.text) != tt.want {
			t.Errorf("%s: %v, %v", name, p.matches(tt.text), err)
		}
	}
	if _, err := parsePattern(strings.Repeat("*a", maxPattern), true); !errors.Is(err, messages.Invalid) {
		t.Errorf("a pattern that is too long: %v", err)
	}
}

// FuzzPattern holds patterns to the simple way of matching them, and to what they
// say every match begins with.
func FuzzPattern(f *testing.F) {
	for _, s := range [][2]string{{"a*b", "axb"}, {"*", ""}, {"a**b", "ab"}, {"*ab*ab", "ab"}, {"", "x"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		p, err := parsePattern(pattern, true)
		if err != nil {
			return
		}
		trimmed := strings.TrimSpace(pattern)
		want := trimmed == "" || access.Glob(trimmed, text)
		if got := p.matches(text); got != want {
			t.Errorf("%q and %q: %v", pattern, text, got)
		}
		if p.matches(text) && !strings.HasPrefix(text, p.prefix()) {
			t.Errorf("%q matches %q, which does not begin with %q", pattern, text, p.prefix())
		}
	})
}

// FuzzTags: tags that were read are no tags of each other.
func FuzzTags(f *testing.F) {
	for _, s := range []string{"", "a", "a,b", " a , a,", ",,", "ä,ö"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tags := splitTags(s)
		for i, tag := range tags {
			if tag == "" || strings.Contains(tag, ",") || strings.TrimSpace(tag) != tag {
				t.Errorf("%q is a tag of %q", tag, s)
			}
			for _, other := range tags[:i] {
				if other == tag {
					t.Errorf("%q twice", tag)
				}
			}
		}
		if again := splitTags(strings.Join(tags, ",")); strings.Join(again, ",") != strings.Join(tags, ",") {
			t.Errorf("%q reads as %q, and that as %q", s, tags, again)
		}
	})
}
