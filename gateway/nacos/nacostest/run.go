package nacostest

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
)

var update = flag.Bool("update", false, "write the answers that came into the golden files")

// shown are the headers of an answer that files show.
var shown = []string{
	"Allow", "Authorization", "Cache-Control", "Config-Type", "Content-Disposition", "Content-Md5", "Encrypted-Data-Key",
	"Expires", "Isbeta", "Last-Modified", "Pragma", "Probe-Modify-Response", "Probe-Modify-Response-New", "Retry-After", "Vipserver-Tag",
}

// masks hide what differs each time.
var masks = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`), "<jwt>"},
	{regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), "<uuid>"},
	{regexp.MustCompile(`nacos-[0-9a-f]{32}`), "<request>"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?`), "<time>"},
	{regexp.MustCompile(`(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT`), "<date>"},
	{regexp.MustCompile(`\b1[6-9]\d{17}\b`), "<ns>"},
	{regexp.MustCompile(`\b1[6-9]\d{11}\b`), "<ms>"},
	{regexp.MustCompile(`\b127\.0\.0\.1:[1-9]\d{3,4}\b`), "127.0.0.1:<port>"},
}

// Run asks what the files that match pattern ask, each file in order and for
// itself, and compares the answers; with -update it writes them down. Hide are
// further regular expressions of what is not compared.
func (c *Cloud) Run(t *testing.T, pattern string, hide ...string) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no file is like %s: %v", pattern, err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) { c.run(t, path, hide) })
	}
}

func (c *Cloud) run(t *testing.T, path string, hide []string) {
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	comment, all, err := parse(string(raw))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	kept := map[string]string{}
	for _, e := range all {
		got, err := ask(c.URL, e, kept)
		if err != nil {
			t.Fatalf("%s: %s: %v", path, e.title, err)
		}
		got = mask(got, hide)
		if at, _, _ := strings.Cut(e.target, "?"); e.method == http.MethodGet && api.SimplePaths[at] {
			if again, err := ask(c.fast, e, kept); err != nil || mask(again, hide) != got {
				t.Errorf("%s: %s: the fast lane answers\n%s (%v)\nand net/http\n%s", path, e.title, again, err, got)
			}
		}
		if *update {
			e.answer = got
		} else if got != e.answer {
			t.Errorf("%s: %s\n--- got\n%s\n--- want\n%s", path, e.title, got, e.answer)
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(write(comment, all)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// ask sends one request, and keeps of its answer what it says.
func ask(base string, e *exchange, kept map[string]string) (string, error) {
	fill := func(s string, escape func(string) string) string {
		for name, value := range kept {
			s = strings.ReplaceAll(s, "{{"+name+"}}", escape(value))
		}
		return s
	}
	asIs := func(s string) string { return s }
	inBody, header := url.QueryEscape, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	for _, h := range e.headers {
		header.Set(h[0], fill(h[1], asIs))
		if strings.EqualFold(h[0], "Content-Type") {
			inBody = asIs
		}
	}
	body := fill(strings.Join(e.body, "\n"), inBody)
	if body == "" {
		header.Del("Content-Type")
	}
	r, err := http.NewRequest(e.method, base+fill(e.target, url.QueryEscape), strings.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header = header
	if r.Header.Get("Accept-Encoding") == "" {
		r.Header.Set("Accept-Encoding", "identity")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	for _, k := range e.keep {
		if kept[k[0]], err = at(raw, k[1]); err != nil {
			return "", err
		}
	}
	return render(resp, raw), nil
}

// at is the value at path in raw, which is JSON: "data.0.id"; of an empty path, all.
func at(raw []byte, path string) (string, error) {
	if path == "" {
		return string(raw), nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return "", fmt.Errorf("keep %s: %w", path, err)
	}
	for step := range strings.SplitSeq(path, ".") {
		switch now := v.(type) {
		case map[string]any:
			v = now[step]
		case []any:
			n, err := strconv.Atoi(step)
			if err != nil || n >= len(now) {
				return "", fmt.Errorf("keep %s: there is no %s", path, step)
			}
			v = now[n]
		}
	}
	if v == nil {
		return "", fmt.Errorf("keep %s: it is not there", path)
	}
	return fmt.Sprint(v), nil
}

// render is an answer as files show it.
func render(resp *http.Response, raw []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "< %d %s\n", resp.StatusCode, resp.Header.Get("Content-Type"))
	for _, name := range shown {
		for _, v := range resp.Header.Values(name) {
			fmt.Fprintf(&b, "< %s: %s\n", name, v)
		}
	}
	var indented bytes.Buffer
	text := string(raw)
	switch {
	case strings.Contains(resp.Header.Get("Content-Type"), "json") && json.Indent(&indented, raw, "", "  ") == nil:
		text = indented.String()
	case plain(text):
	default:
		text = strconv.Quote(text)
	}
	b.WriteString(text)
	return strings.TrimRight(b.String(), "\n")
}

// plain says whether a text can stand in a file as it is.
func plain(text string) bool {
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "### ") || strconv.Quote(line) != `"`+strings.ReplaceAll(strings.ReplaceAll(line, `\`, `\\`), `"`, `\"`)+`"` {
			return false
		}
	}
	return !strings.HasSuffix(text, "\n")
}

func mask(s string, hide []string) string {
	for _, m := range masks {
		s = m.what.ReplaceAllString(s, m.with)
	}
	for _, h := range hide {
		s = regexp.MustCompile(h).ReplaceAllString(s, "<...>")
	}
	return s
}
