package client

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestUnified(t *testing.T) { // table: one row, two contents
	ten := "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n"
	for name, tt := range map[string]struct{ a, b, want string }{
		"the same":        {"x\n", "x\n", ""},
		"a line changed":  {"x\ny\nz\n", "x\nY\nz\n", "@@ -1,3 +1,3 @@\n x\n-y\n+Y\n z\n"},
		"from nothing":    {"", "x\n", "@@ -0,0 +1 @@\n+x\n"},
		"to nothing":      {"x\n", "", "@@ -1 +0,0 @@\n-x\n"},
		"no end":          {"x", "x\n", "@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+x\n"},
		"with context":    {ten, strings.Replace(ten, "5", "five", 1), "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"},
		"two, far apart":  {ten, "0\n" + ten + "11\n", "@@ -1,3 +1,4 @@\n+0\n 1\n 2\n 3\n@@ -8,3 +9,4 @@\n 8\n 9\n 10\n+11\n"},
		"two, near":       {ten, strings.NewReplacer("2", "b", "7", "g").Replace(ten), "@@ -1,10 +1,10 @@\n 1\n-2\n+b\n 3\n 4\n 5\n 6\n-7\n+g\n 8\n 9\n 10\n"},
		"moved":           {"a\nb\nc\n", "b\nc\na\n", "@@ -1,3 +1,3 @@\n-a\n b\n c\n+a\n"},
		"empty lines too": {"\n\n", "\n", "@@ -1,2 +1 @@\n \n-\n"},
	} {
		got, err := unified(version{"a", tt.a}, version{"b", tt.b})
		if tt.want != "" {
			tt.want = "--- a\n+++ b\n" + tt.want
		}
		if err != nil || got != tt.want {
			t.Errorf("%s: %v\n--- got\n%s--- want\n%s", name, err, got, tt.want)
		}
	}
}

// rebuilt is what edits make of the first content.
func rebuilt(edits []edit, leave byte) string {
	var b strings.Builder
	for _, e := range edits {
		if e.kind != leave {
			b.WriteString(e.line)
		}
	}
	return b.String()
}

func TestManyDifferences(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var a, b []string
	for range 3 * maxDiff {
		a, b = append(a, fmt.Sprintln("a", r.IntN(1<<30))), append(b, fmt.Sprintln("b", r.IntN(1<<30)))
	}
	edits := compare(a, b)
	if rebuilt(edits, '+') != strings.Join(a, "") || rebuilt(edits, '-') != strings.Join(b, "") {
		t.Error("a difference that is too large is wrong")
	}
}

// FuzzCompare: the edits hold both contents, and are no more than all there is.
func FuzzCompare(f *testing.F) {
	f.Add("a\nb\nc", "a\nc\nd\n")
	f.Add("", "x")
	f.Add("x\ny\nx\ny\n", "y\nx\ny\nx\n")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := lines(a), lines(b)
		edits := compare(x, y)
		if rebuilt(edits, '+') != strings.Join(x, "") || rebuilt(edits, '-') != strings.Join(y, "") {
			t.Errorf("%q to %q: %v", a, b, edits)
		}
		if _, err := unified(version{"a", a}, version{"b", b}); err != nil {
			t.Error(err)
		}
	})
}
