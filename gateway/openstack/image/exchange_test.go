package image

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var rewrite = flag.Bool("update", false, "write the golden files anew")

const (
	first  = "11111111-1111-4111-8111-111111111111"
	absent = "99999999-9999-4999-8999-999999999999"
)

// exchange is one request of the golden conversation.
type exchange struct{ token, method, path, body, kind string }

const (
	jsonKind  = "application/json"
	patchKind = "application/openstack-images-v2.1-json-patch"
	dataKind  = "application/octet-stream"
)

var conversation = []exchange{
	{"", "GET", "/", "", ""},
	{"", "GET", "/v2/images", "", ""},
	{"unscoped", "GET", "/v2/images", "", ""},
	{"reader", "POST", "/v2/images", `{}`, jsonKind},
	{"alice", "POST", "/v2/images", `{"id":"` + first + `","name":"cirros","disk_format":"raw","container_format":"bare","tags":["b","a"],"os_distro":"cirros","min_ram":64}`, jsonKind},
	{"alice", "POST", "/v2/images", `{"id":"` + first + `"}`, jsonKind},
	{"alice", "POST", "/v2/images", `{"name":5}`, jsonKind},
	{"alice", "POST", "/v2/images", `{"status":"active"}`, jsonKind},
	{"alice", "POST", "/v2/images", `{"disk_format":"floppy"}`, jsonKind},
	{"alice", "POST", "/v2/images", `{"visibility":"public"}`, jsonKind},
	{"alice", "POST", "/v2/images", `{"owner":"p2"}`, jsonKind},
	{"alice", "POST", "/v2/images", `[]`, jsonKind},
	{"alice", "POST", "/v2/images", `{"name":`, jsonKind},
	{"alice", "GET", "/v2/images/" + first + "/file", "", ""},
	{"alice", "PUT", "/v2/images/" + first + "/file", "hello", jsonKind},
	{"bob", "PUT", "/v2/images/" + first + "/file", "hello", dataKind},
	{"alice", "PUT", "/v2/images/" + first + "/file", "hello", dataKind},
	{"alice", "PUT", "/v2/images/" + first + "/file", "hello", dataKind},
	{"alice", "GET", "/v2/images/" + first, "", ""},
	{"alice", "GET", "/v2/images/" + first + "/file", "", ""},
	{"bob", "GET", "/v2/images/" + first, "", ""},
	{"alice", "GET", "/v2/images/cirros", "", ""},
	{"alice", "GET", "/v2/images/" + absent, "", ""},
	{"alice", "GET", "/v2/images?name=cirros", "", ""},
	{"alice", "PATCH", "/v2/images/" + first, `[{"op":"replace","path":"/name","value":"c2"},{"op":"add","path":"/a~1b","value":"1"},{"op":"remove","path":"/os_distro"},{"op":"replace","path":"/protected","value":true}]`, patchKind},
	{"alice", "PATCH", "/v2/images/" + first, `[{"op":"remove","path":"/nothing"}]`, patchKind},
	{"alice", "PATCH", "/v2/images/" + first, `[{"op":"replace","path":"/checksum","value":"x"}]`, patchKind},
	{"alice", "PATCH", "/v2/images/" + first, `[{"op":"remove","path":"/name"}]`, patchKind},
	{"alice", "PATCH", "/v2/images/" + first, `[{"op":"replace","path":"/disk_format","value":"qcow2"}]`, patchKind},
	{"alice", "PATCH", "/v2/images/" + first, `{}`, patchKind},
	{"alice", "PATCH", "/v2/images/" + first, `[]`, jsonKind},
	{"alice", "DELETE", "/v2/images/" + first, "", ""},
	{"alice", "PUT", "/v2/images/" + first + "/tags/new", "", ""},
	{"alice", "DELETE", "/v2/images/" + first + "/tags/none", "", ""},
	{"alice", "POST", "/v2/images/" + first + "/members", `{"member":"p2"}`, jsonKind},
	{"alice", "POST", "/v2/images/" + first + "/members", `{"member":"p2"}`, jsonKind},
	{"bob", "GET", "/v2/images/" + first + "/members", "", ""},
	{"bob", "PUT", "/v2/images/" + first + "/members/p2", `{"status":"accepted"}`, jsonKind},
	{"bob", "GET", "/v2/images?visibility=shared", "", ""},
	{"bob", "DELETE", "/v2/images/" + first, "", ""},
	{"alice", "DELETE", "/v2/images/" + first + "/members/p2", "", ""},
	{"alice", "POST", "/v2/images/" + first + "/actions/deactivate", "", ""},
	{"alice", "GET", "/v2/images/" + first + "/file", "", ""},
	{"alice", "POST", "/v2/images/" + first + "/actions/reactivate", "", ""},
	{"alice", "PATCH", "/v2/images/" + first, `[{"op":"replace","path":"/protected","value":false}]`, patchKind},
	{"alice", "DELETE", "/v2/images/" + first, "", ""},
	{"alice", "DELETE", "/v2/images/" + first, "", ""},
	{"alice", "GET", "/v2/images?limit=x", "", ""},
	{"alice", "GET", "/v2/images?sort=colour", "", ""},
	{"alice", "GET", "/v2/images?marker=" + absent, "", ""},
	{"alice", "GET", "/v2/info/import", "", ""},
	{"alice", "GET", "/v2/info/stores", "", ""},
	{"alice", "POST", "/v2/images/" + first + "/import", "{}", jsonKind},
}

// TestConversation holds a whole conversation against the golden file.
func TestConversation(t *testing.T) {
	w := newWorld(t, 0)
	var got strings.Builder
	for _, x := range conversation {
		a := w.do(x.token, x.method, x.path, strings.NewReader(x.body), "Content-Type: "+x.kind)
		fmt.Fprintf(&got, "%s %s %s %s\n%d %s", x.token, x.method, x.path, x.body, a.status, a.header.Get("Content-Type"))
		for _, h := range []string{"Location", "Content-Md5", "Content-Length"} {
			if v := a.header.Get(h); v != "" {
				fmt.Fprintf(&got, " %s=%s", h, v)
			}
		}
		fmt.Fprintf(&got, "\n%s\n\n", indent(a.body))
	}
	text := regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`).ReplaceAllString(got.String(), "<time>")
	golden(t, "testdata/conversation.txt", text)
}

func indent(body string) string {
	var out bytes.Buffer
	if json.Indent(&out, []byte(strings.TrimSpace(body)), "", " ") != nil {
		return body
	}
	return out.String()
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *rewrite {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		a, b := strings.Split(got, "\n"), strings.Split(string(want), "\n")
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Fatalf("line %d: got %q, want %q (run with -update after looking)", i+1, a[i], b[i])
			}
		}
		t.Fatalf("%d lines, want %d (run with -update after looking)", len(a), len(b))
	}
}
