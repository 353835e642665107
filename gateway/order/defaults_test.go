package order

import (
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/messages"
)

func TestHostname(t *testing.T) {
	for name, want := range map[string]string{
		"web":                    "web",
		"Web Server_1.example":   "web-server-1-example",
		"--a--":                  "a",
		"日本":                     "server-id",
		"naïve":                  "nave",
		"a!b@c":                  "abc",
		strings.Repeat("x", 100): strings.Repeat("x", 63),
		"...":                    "server-id",
	} {
		if got := Hostname(name, "id"); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
	if got := Numbered(strings.Repeat("x", 63), 12); len(got) != 63 || !strings.HasSuffix(got, "x-12") {
		t.Errorf("numbered: %q", got)
	}
}

func TestPasswordsDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		c := &messages.CreateInstance{}
		Complete(c)
		p := c.AdminPassword
		if len(p) != passwordLength || seen[p] {
			t.Fatalf("password %q", p)
		}
		seen[p] = true
	}
}
