package compute_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/gateway/openstack/compute"
)

var update = flag.Bool("update", false, "rewrite the answers in testdata/exchanges")

// TestExchanges plays every file of testdata/exchanges in a world of its own and
// compares the answers with those recorded there. A file is a list of
//
//	> METHOD PATH [who=user] [version=2.90]     and, below it, the body
//	< STATUS and the answer, as it was recorded
//	= NAME JSON.PATH                            keeps a part of the last answer as ${NAME}
//	~ NAME STATUS                               waits until the server ${NAME} rests so
//	# a remark
func TestExchanges(t *testing.T) {
	files, err := filepath.Glob("testdata/exchanges/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no exchanges", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := player{world: newWorld(t, 1), kept: map[string]string{}, seen: map[string]string{}}
			got := p.play(string(raw))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(raw) {
				t.Errorf("%s differs (run with -update and look at the difference):\n%s", file, firstDifference(string(raw), got))
			}
		})
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			from := max(0, i-12)
			return fmt.Sprintf("line %d\nwant %s\ngot  %s\nafter\n%s", i+1, w[i], g[i], strings.Join(g[from:i], "\n"))
		}
	}
	return fmt.Sprintf("want %d lines, got %d", len(w), len(g))
}

type player struct {
	*world
	kept map[string]string // ${name}
	seen map[string]string // what differs in every run -> what stands for it
	last answer
}

var starts = regexp.MustCompile(`^[>=~#]`)

// play performs script and is it again, with the answers that came.
func (p *player) play(script string) string {
	var out strings.Builder
	lines := strings.Split(script, "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		switch {
		case strings.HasPrefix(line, "> "):
			var body []string
			for i+1 < len(lines) && lines[i+1] != "" && !strings.HasPrefix(lines[i+1], "<") && !starts.MatchString(lines[i+1]) {
				i++
				body = append(body, lines[i])
			}
			out.WriteString(line + "\n")
			for _, b := range body {
				out.WriteString(b + "\n")
			}
			out.WriteString(p.exchange(line, strings.Join(body, "\n")) + "\n")
		case strings.HasPrefix(line, "= "):
			var name, path string
			_, _ = fmt.Sscanf(line, "= %s %s", &name, &path)
			p.kept[name] = fmt.Sprint(p.last.get(path))
			out.WriteString(line + "\n\n")
		case strings.HasPrefix(line, "~ "):
			var name, status string
			_, _ = fmt.Sscanf(line, "~ %s %s", &name, &status)
			p.rests("admin", p.kept[name], status)
			out.WriteString(line + "\n\n")
		case strings.HasPrefix(line, "#"):
			out.WriteString(line + "\n")
		}
	}
	return out.String()
}

var variable = regexp.MustCompile(`\$\{(\w+)\}`)

func (p *player) fill(s string) string {
	return variable.ReplaceAllStringFunc(s, func(v string) string { return p.kept[v[2:len(v)-1]] })
}

func (p *player) exchange(line, body string) string {
	words := strings.Fields(p.fill(line))
	who, version := "user", ""
	for _, w := range words[3:] {
		if v, ok := strings.CutPrefix(w, "who="); ok {
			who = strings.TrimPrefix(v, "nobody")
		}
		if v, ok := strings.CutPrefix(w, "version="); ok {
			version = v
		}
	}
	p.last = p.do(who, version, words[1], words[2], p.fill(body))
	var b strings.Builder
	fmt.Fprintf(&b, "< %d\n", p.last.status)
	if at := p.last.header.Get("Location"); at != "" {
		fmt.Fprintf(&b, "Location: %s\n", p.same(at))
	}
	if len(p.last.body) > 0 {
		b.WriteString(p.same(pretty(p.last.body)) + "\n")
	}
	return b.String()
}

func pretty(raw []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return strings.TrimSpace(b.String())
}

// unsteady is what differs in every run: each distinct match is numbered.
var unsteady = []struct {
	what string
	re   *regexp.Regexp
}{
	{"URL", regexp.MustCompile(`http://127\.0\.0\.1:\d+`)},
	{"REQUEST", regexp.MustCompile(`req-[0-9a-f-]{36}`)},
	{"UUID", regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[4578][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)},
	{"TIME", regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?`)},
	{"MAC", regexp.MustCompile(`fa:16:3e(:[0-9a-f]{2}){3}`)},
	{"RESERVATION", regexp.MustCompile(`r-[0-9a-z]{8}`)},
	{"PASSWORD", regexp.MustCompile(`"adminPass": "[0-9A-Za-z]{12}"`)},
	{"SCORE", regexp.MustCompile(`"(score|share|raw)": [0-9.e+-]+`)},
	{"HOURS", regexp.MustCompile(`"(total_\w+|hours)": [0-9.e+-]+`)},
	{"SECONDS", regexp.MustCompile(`"uptime": \d+`)},
	{"KEY", regexp.MustCompile(`"(private_key|public_key)": "(-----BEGIN|ssh-rsa)[^"]*"`)},
	{"FINGERPRINT", regexp.MustCompile(`"fingerprint": "[^"]*"`)},
	{"VERSION", regexp.MustCompile(`"hypervisor_version": \d+`)},
}

// steady ids belong to the world, and are shown as they are.
var steady = []string{smallImage, largeImage, emptyImage, flatNet, someID, "55555555-5555-4555-8555-555555555555"}

func (p *player) same(s string) string {
	for _, u := range unsteady {
		s = u.re.ReplaceAllStringFunc(s, func(found string) string {
			for _, id := range steady {
				if found == id {
					return found
				}
			}
			switch u.what {
			case "URL", "TIME", "MAC":
				return "<" + u.what + ">"
			}
			if u.what == "REQUEST" || u.what == "UUID" || u.what == "RESERVATION" {
				if p.seen[found] == "" {
					p.seen[found] = fmt.Sprintf("<%s %d>", u.what, len(p.seen)+1)
				}
				return p.seen[found]
			}
			name, _, _ := strings.Cut(found, ":")
			return name + `: "<` + u.what + `>"`
		})
	}
	return s
}

// TestEveryRouteIsExchanged: a route that no exchange asks for is not held to
// anything.
func TestEveryRouteIsExchanged(t *testing.T) {
	asked, mux := map[string]bool{}, http.NewServeMux()
	routes := compute.New(compute.Config{}).Dialect().Routes
	for _, r := range routes {
		mux.HandleFunc(r.Method+" "+r.Pattern, func(http.ResponseWriter, *http.Request) {})
	}
	files, _ := filepath.Glob("testdata/exchanges/*.txt")
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range regexp.MustCompile(`(?m)^> (\S+) (\S+)`).FindAllStringSubmatch(string(raw), -1) {
			path, _, _ := strings.Cut(variable.ReplaceAllString(line[2], "id"), "?")
			_, pattern := mux.Handler(httptest.NewRequest(line[1], path, nil))
			asked[pattern] = true
		}
	}
	for _, r := range routes {
		if !asked[r.Method+" "+r.Pattern] {
			t.Errorf("no exchange asks for %s %s", r.Method, r.Pattern)
		}
	}
}
