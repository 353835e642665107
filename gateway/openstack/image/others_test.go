package image

import (
	"strings"
	"testing"
)

// TestOfOthers walks the table: to another project a private image is not there,
// on any route, whether it exists or not, and it is the same afterwards.
func TestOfOthers(t *testing.T) {
	w := newWorld(t, 0)
	id := w.made("alice", rawFields)
	if a := w.put("alice", id, []byte("hello")); a.status != 204 {
		t.Fatal(a)
	}
	before := w.do("admin", "GET", "/v2/images/"+id, nil)
	bodies := map[string]struct{ body, kind string }{
		"PATCH /v2/images/{id}":                {`[{"op":"replace","path":"/name","value":"mine"}]`, patchKind},
		"PUT /v2/images/{id}/file":             {"content", dataKind},
		"POST /v2/images/{id}/members":         {`{"member":"p2"}`, jsonKind},
		"PUT /v2/images/{id}/members/{member}": {`{"status":"accepted"}`, jsonKind},
	}
	asked := 0
	for _, route := range New(Config{Client: nil}).Dialect().Routes {
		if !strings.Contains(route.Pattern, "{id}") {
			continue
		}
		x := bodies[route.Method+" "+route.Pattern]
		for _, image := range []string{id, absent} {
			path := strings.NewReplacer("{id}", image, "{tag}", "tag", "{member}", "p2").Replace(route.Pattern)
			a := w.do("bob", route.Method, path, strings.NewReader(x.body), "Content-Type: "+x.kind)
			if a.status != 404 {
				t.Errorf("%s %s: %d %s", route.Method, path, a.status, a.body)
			}
			asked++
		}
	}
	if asked < 20 {
		t.Errorf("only %d requests were made: is the table read?", asked)
	}
	if after := w.do("admin", "GET", "/v2/images/"+id, nil); after.body != before.body {
		t.Errorf("it was changed:\n%s\n%s", before.body, after.body)
	}
}
