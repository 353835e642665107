package configs_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/actors/config"
)

// TestContentLimits: contents of the largest size are stored, larger ones refused,
// however they come.
func TestContentLimits(t *testing.T) {
	w := newWorld(t, nil)
	largest := strings.Repeat("x", config.MaxContentBytes)
	for name, tt := range map[string]struct {
		content string
		status  int
	}{
		"the largest":          {largest, 200},
		"the largest, escaped": {strings.Repeat("ü", config.MaxContentBytes/2), 200},
		"one more":             {largest + "x", 400},
		"far too many":         {strings.Repeat("%", 4*config.MaxContentBytes), 413},
		"not UTF-8":            {"\xc3\x28", 400},
	} {
		for path, group := range map[string]string{"/nacos/v1/cs/configs": "group", "/nacos/v3/admin/cs/config": "groupName"} {
			resp, err := http.PostForm(w.URL+path, url.Values{"dataId": {"a"}, group: {"g"}, "content": {tt.content}})
			if err != nil {
				if tt.status != 413 { // who has not sent all may find the connection closed
					t.Errorf("%s: %s: %v", name, path, err)
				}
				continue
			}
			raw, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != tt.status {
				t.Errorf("%s: %s: %d %.200s %v", name, path, resp.StatusCode, raw, err)
			}
		}
	}
	if _, content := w.get(t, "/nacos/v1/cs/configs?dataId=a&group=g"); len(content) != config.MaxContentBytes {
		t.Errorf("%d bytes were kept", len(content))
	}
}

// TestTooManyGrays: at most ten gray versions, with Nacos' code.
func TestTooManyGrays(t *testing.T) {
	w := newWorld(t, nil)
	for i := range config.MaxGrays {
		w.publish(t, "a", "g", "x", "tag", string(rune('a'+i)))
	}
	resp, err := http.PostForm(w.URL+"/nacos/v2/cs/config", url.Values{"dataId": {"a"}, "group": {"g"}, "content": {"x"}, "tag": {"z"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if raw, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != 400 || !strings.Contains(string(raw), `"code":20010`) {
		t.Errorf("%d %s %v", resp.StatusCode, raw, err)
	}
}

// TestEveryRouteIsAsked: the exchanges, and the tests of archives, ask every route.
func TestEveryRouteIsAsked(t *testing.T) {
	asked := readAll(t, "testdata/exchanges/*.http", "archive_test.go")
	for _, r := range newWorld(t, nil).configs.Routes() {
		path := "/nacos" + r.Pattern
		said := strings.Contains(asked, r.Method+" "+path+"?") || strings.Contains(asked, r.Method+" "+path+"\n") ||
			strings.Contains(asked, `"`+path+`"`) || strings.Contains(asked, `"`+path+`?`)
		if !said {
			t.Errorf("nothing asks %s %s", r.Method, path)
		}
	}
}
