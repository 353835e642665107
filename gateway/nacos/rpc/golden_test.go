package rpc

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the answers that came into the golden files")

// masked is what differs each time.
var masked = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`"(lastRefTime|lastModified)": \d+`), `"$1": "<ms>"`},
	{regexp.MustCompile(`"connectionId": "\d+_127.0.0.1_\d+"`), `"connectionId": "<connection>"`},
}

// TestExchanges asks what the files ask, each file in order on one connection:
//
//	### what is shown
//	> InstanceRequest
//	{"serviceName":"a"}
//	< InstanceResponse
//	{ the answer, with times masked }
//	<< NotifySubscriberRequest
//	{ what is pushed then }
func TestExchanges(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			w := newWorld(t)
			got := w.replay(t, w.connect(strings.Replace(plainSetup, `"clientAbilities"`, `"abilityTable":{"fuzzyWatch":true},"clientAbilities"`, 1)), string(raw))
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(raw) {
				t.Errorf("%s differs\n--- got\n%s", path, got)
			}
		})
	}
}

// replay asks what a file asks, and returns the file with the answers that came.
func (w *world) replay(t *testing.T, p *tester, file string) string {
	var out strings.Builder
	lines := strings.Split(file, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		switch {
		case strings.HasPrefix(line, "###"), strings.HasPrefix(line, "#"):
			fmt.Fprintf(&out, "\n%s\n", line)
		case strings.HasPrefix(line, "> "):
			i++
			kind := strings.TrimPrefix(line, "> ")
			class, body, err := p.raw(client(kind, "10.9.9.9", nil, lines[i]))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&out, "%s\n%s\n< %s\n%s\n", line, lines[i], class, pretty(t, body))
		case strings.HasPrefix(line, "<< "):
			got := p.hear(strings.TrimPrefix(line, "<< "))
			got["requestId"] = "(a number)"
			body, _ := json.Marshal(got)
			fmt.Fprintf(&out, "%s\n%s\n", line, pretty(t, body))
		}
	}
	return strings.TrimPrefix(out.String(), "\n")
}

func pretty(t *testing.T, body []byte) string {
	var out bytes.Buffer
	if err := json.Indent(&out, body, "", "  "); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	s := out.String()
	for _, m := range masked {
		s = m.what.ReplaceAllString(s, m.with)
	}
	return s
}
