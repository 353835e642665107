package access

import "testing"

func TestGlob(t *testing.T) {
	for _, tt := range []struct {
		pattern, s string
		is         bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "ab", true}, {"a", "a", true}, {"a", "ab", false},
		{"a*", "ab", true}, {"*b", "ab", true}, {"*b*", "abc", true}, {"a*c*e", "abcde", true}, {"a*c*f", "abcde", false},
		{"a.c", "abc", false}, {"**", "x", true}, {"*aab", "aaab", true},
	} {
		if Glob(tt.pattern, tt.s) != tt.is {
			t.Errorf("%q of %q is not %v", tt.pattern, tt.s, tt.is)
		}
	}
}
