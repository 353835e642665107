package image

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/gateway/openstack/api"
	"github.com/troupe-cloud/troupe/gateway/openstack/api/apitest"
	"github.com/troupe-cloud/troupe/messages"
)

// names lists the names of the images of one page, and where the next is.
func (w *world) names(token, query string) (names []string, next string) {
	w.t.Helper()
	body := w.do(token, "GET", "/v2/images"+query, nil).json(w.t)
	list, ok := body["images"].([]any)
	if !ok {
		w.t.Fatalf("%s: %v", query, body)
	}
	for _, i := range list {
		names = append(names, i.(map[string]any)["name"].(string))
	}
	next, _ = body["next"].(string)
	return names, strings.TrimPrefix(next, "/v2/images")
}

func TestList(t *testing.T) {
	w := newWorld(t, 0)
	for _, i := range []struct{ token, fields string }{
		{"alice", `{"name":"a1","visibility":"private","tags":["x"],"os_distro":"debian"}`},
		{"alice", `{"name":"a2","visibility":"community","tags":["x","y"]}`},
		{"bob", `{"name":"b1","visibility":"private","disk_format":"raw"}`},
		{"admin", `{"name":"p1","visibility":"public","min_ram":5}`},
		{"admin", `{"name":"h1","visibility":"public","os_hidden":true}`},
		{"alice", `{"name":"s1","visibility":"shared","protected":true}`},
	} {
		id := w.made(i.token, i.fields)
		if strings.Contains(i.fields, "shared") {
			w.json("alice", "POST", "/v2/images/"+id+"/members", `{"member":"p2"}`)
		}
	}
	for _, tt := range []struct{ token, query, want string }{
		{"alice", "", "s1 p1 a2 a1"},
		{"bob", "", "p1 b1"},
		{"bob", "?member_status=pending", "s1 p1 b1"},
		{"bob", "?member_status=all&visibility=shared", "s1"},
		{"bob", "?visibility=community", "a2"},
		{"bob", "?visibility=all", "p1 b1 a2"},
		{"bob", "?visibility=public", "p1"},
		{"alice", "?visibility=private", "a1"},
		{"admin", "", "s1 p1 b1 a2 a1"},
		{"admin", "?visibility=public", "p1"},
		{"alice", "?os_hidden=true", "h1"},
		{"alice", "?tag=x", "a2 a1"},
		{"alice", "?tag=x&tag=y", "a2"},
		{"alice", "?os_distro=debian", "a1"},
		{"alice", "?name=in:a1,s1", "s1 a1"},
		{"alice", "?owner=p1", "s1 a2 a1"},
		{"alice", "?status=active", ""},
		{"alice", "?protected=true", "s1"},
		{"alice", "?min_ram=5", "p1"},
		{"alice", "?size_min=1", ""},
		{"alice", "?created_at=gt:2000-01-01T00:00:00Z", "s1 p1 a2 a1"},
		{"alice", "?created_at=lt:2000-01-01T00:00:00Z", ""},
		{"alice", "?sort=name:asc", "a1 a2 p1 s1"},
		{"alice", "?sort_key=name&sort_dir=desc", "s1 p1 a2 a1"},
		{"alice", "?sort=min_ram:desc,name:asc", "p1 a1 a2 s1"},
		{"alice", "?sort_key=created_at&sort_dir=asc", "a1 a2 p1 s1"},
		{"alice", "?limit=0", ""},
	} {
		if got, _ := w.names(tt.token, tt.query); strings.Join(got, " ") != tt.want {
			t.Errorf("%s%s: got %v, want %s", tt.token, tt.query, got, tt.want)
		}
	}
	for _, query := range []string{"?limit=1", "?limit=3", "?limit=1&sort=name:asc", "?limit=2&sort=visibility:desc", "?limit=1&visibility=all"} {
		var all []string
		for next := query; next != ""; {
			var page []string
			page, next = w.names("alice", next)
			all = append(all, page...)
		}
		slices.Sort(all)
		if got := strings.Join(all, " "); got != "a1 a2 p1 s1" {
			t.Errorf("%s: all pages together have %s", query, got)
		}
	}
}

// TestLongList pages through more than one piece of the index.
func TestLongList(t *testing.T) {
	w := newWorld(t, 0)
	for i := range scanChunk + 20 {
		w.made("alice", fmt.Sprintf(`{"name":"i%d"}`, i))
	}
	first, next := w.names("alice", "")
	if len(first) != defaultPage || next == "" || first[0] != fmt.Sprintf("i%d", scanChunk+19) {
		t.Errorf("got %d from %s, next %q", len(first), first[0], next)
	}
	if all, next := w.names("alice", "?limit=1000"); len(all) != scanChunk+20 || next != "" {
		t.Errorf("got %d, next %q", len(all), next)
	}
}

func FuzzQuery(f *testing.F) {
	for _, s := range []string{"", "name=a&limit=5", "sort=name:asc,size", "sort_key=name&sort_dir=asc", "created_at=gte:2000-01-01T00:00:00Z",
		`name=in:a,"b,c"`, "size_min=x", "visibility=all&member_status=all", "os_hidden=TRUE&protected=0", "tag=%00&x=y"} {
		f.Add(s)
	}
	images := []*messages.ImageView{{Id: "a", Tags: []string{"x"}}, {Id: "b", Name: "n", SizeBytes: 5, Properties: map[string]string{"x": "y"}}}
	f.Fuzz(func(t *testing.T, raw string) {
		hr := httptest.NewRequest("GET", "/v2/images", nil)
		hr.URL.RawQuery = raw
		q, err := parseQuery(&api.Request{Request: hr, Principal: apitest.Everybody["alice"]})
		if err != nil {
			if !errors.Is(err, messages.Invalid) {
				t.Fatalf("%q: %v", raw, err)
			}
			return
		}
		if q.limit < 0 || q.limit > maxPage || len(q.prefixes()) == 0 {
			t.Fatalf("%q: %+v", raw, q)
		}
		for _, v := range images {
			q.match(v)
		}
		q.sort(slices.Clone(images))
		if _, err := url.Parse(q.link("marker")); err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
	})
}
