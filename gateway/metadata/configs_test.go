package metadata

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/actors/machine"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/cluster/watch"
	"github.com/troupe-cloud/troupe/messages"
)

// library is a guest's cloud with configs; each change is told when it is put in.
type library struct {
	oneGuest
	said map[string]chan watch.Change // by data id
}

func (l library) WatchConfig(_ context.Context, c machine.Config) (<-chan watch.Change, error) {
	return l.said[c.Namespace+"/"+c.DataID], nil
}

func configOf(content string, tags ...string) watch.Change {
	return watch.Change{Answer: &messages.Config{
		Formal: content != "", Content: content, Entry: &messages.ConfigEntry{Md5: "md5 of " + content, Tags: tags},
	}}
}

const mine = service.ProjectsKey + "=p"

// reader is a guest of project p whose server names a, b and c, and what is said of
// them, one after the other.
func reader(said ...watch.Change) *Handler {
	v := guest()
	v.ProjectId, v.Metadata = "p", map[string]string{machine.ConfigKey: "a,b@g,c"}
	changes := make(chan watch.Change, len(said))
	for _, c := range said {
		changes <- c
	}
	return newHandler(library{oneGuest{address: "10.88.0.10", view: v}, map[string]chan watch.Change{"/a": changes}})
}

const guestPeer = "10.88.0.10:4711"

func TestConfigs(t *testing.T) { // table: one row, what is said of config a, one question, its answer
	gone := watch.Change{Err: messages.NotFound}
	for name, tt := range map[string]struct {
		said []watch.Change
		ask  string
		code int
		body string
	}{
		"the list":                     {nil, "", 200, "DEFAULT_GROUP/a\nDEFAULT_GROUP/c\ng/b"},
		"the list, with a slash":       {nil, "/", 200, "DEFAULT_GROUP/a\nDEFAULT_GROUP/c\ng/b"},
		"a content":                    {[]watch.Change{configOf("x", mine)}, "/DEFAULT_GROUP/a", 200, "x"},
		"for all projects":             {[]watch.Change{configOf("x", service.ProjectsKey+"=*")}, "/DEFAULT_GROUP/a", 200, "x"},
		"of another project":           {[]watch.Change{configOf("x", service.ProjectsKey+"=q")}, "/DEFAULT_GROUP/a", 404, ""},
		"of nobody's":                  {[]watch.Change{configOf("x")}, "/DEFAULT_GROUP/a", 404, ""},
		"none":                         {[]watch.Change{gone}, "/DEFAULT_GROUP/a", 404, ""},
		"not named":                    {nil, "/DEFAULT_GROUP/z", 404, ""},
		"in another group":             {nil, "/g/a", 404, ""},
		"a part of a name":             {nil, "/DEFAULT_GROUP", 404, ""},
		"known already":                {[]watch.Change{configOf("x", mine)}, "/DEFAULT_GROUP/a?md5=md5%20of%20x", 304, ""},
		"another is known":             {[]watch.Change{configOf("x", mine)}, "/DEFAULT_GROUP/a?md5=1&wait=60", 200, "x"},
		"a change is waited for":       {[]watch.Change{configOf("x", mine), configOf("y", mine)}, "/DEFAULT_GROUP/a?md5=md5%20of%20x&wait=60", 200, "y"},
		"what goes is told":            {[]watch.Change{configOf("x", mine), gone}, "/DEFAULT_GROUP/a?md5=md5%20of%20x&wait=60", 404, ""},
		"that it may not is told":      {[]watch.Change{configOf("x", mine), configOf("x")}, "/DEFAULT_GROUP/a?md5=md5%20of%20x&wait=60", 404, ""},
		"what is not yet":              {[]watch.Change{gone, configOf("y", mine)}, "/DEFAULT_GROUP/a?wait=60", 200, "y"},
		"nothing changes":              {[]watch.Change{configOf("x", mine)}, "/DEFAULT_GROUP/a?md5=md5%20of%20x&wait=0.01", 304, ""},
		"an hour that is no number":    {nil, "/DEFAULT_GROUP/a?wait=1h", 400, ""},
		"a time before now":            {nil, "/DEFAULT_GROUP/a?wait=-1", 400, ""},
		"the registry does not answer": {[]watch.Change{{Err: messages.Unavailable}}, "/DEFAULT_GROUP/a", 503, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := do(reader(tt.said...), http.MethodGet, "/openstack/latest/troupe/config"+tt.ask, guestPeer)
			if w.Code != tt.code || tt.body != "" && w.Body.String() != tt.body {
				t.Errorf("%d %q, want %d %q", w.Code, w.Body, tt.code, tt.body)
			}
			if sum := w.Header().Get("X-Troupe-Md5"); w.Code < 400 && strings.Contains(tt.ask, "/a") && !strings.HasPrefix(sum, "md5 of ") {
				t.Errorf("the MD5 is %q", sum)
			}
		})
	}
}

// TestOwnNamespace: a namespace named like the project is the project's.
func TestOwnNamespace(t *testing.T) {
	c := machine.Config{Namespace: "p", DataID: "a"}
	if now, err := readable(configOf("x"), "p", c); now == nil || err != nil {
		t.Error(now, err)
	}
	if now, err := readable(configOf("x"), "q", c); now != nil || err != nil {
		t.Error(now, err)
	}
}

// TestWaitsAreCounted: nobody keeps others out by waiting.
func TestWaitsAreCounted(t *testing.T) {
	h := reader(configOf("x", mine))
	other := netip.MustParseAddr("10.88.0.11")
	for range MaxGuestWaits {
		h.waits.begin(netip.MustParseAddr("10.88.0.10"))
	}
	if w := do(h, http.MethodGet, "/"+configRoot+"/DEFAULT_GROUP/a?wait=60&md5=x", guestPeer); w.Code != http.StatusServiceUnavailable {
		t.Errorf("%d", w.Code)
	}
	if w := do(h, http.MethodGet, "/"+configRoot+"/DEFAULT_GROUP/a", guestPeer); w.Code != http.StatusOK {
		t.Errorf("who does not wait: %d", w.Code)
	}
	if !h.waits.begin(other) {
		t.Error("one guest keeps another out")
	}
	h.waits.end(other)
	for range MaxGuestWaits {
		h.waits.end(netip.MustParseAddr("10.88.0.10"))
	}
	if h.waits.all != 0 || len(h.waits.guest) != 0 {
		t.Errorf("%d wait", h.waits.all)
	}
}

// TestShutdown: who waits for a change is answered when the service ends, and whoever
// comes then does not wait.
func TestShutdown(t *testing.T) {
	h := reader(configOf("x", mine))
	answered := make(chan int)
	ask := func() {
		answered <- do(h, http.MethodGet, "/"+configRoot+"/DEFAULT_GROUP/a?wait=25&md5=md5%20of%20x", guestPeer).Code
	}
	go ask()
	if err := Server(h).Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-h.closing
	go ask()
	for range 2 {
		if code := <-answered; code != http.StatusNotModified && code != http.StatusServiceUnavailable {
			t.Errorf("answered %d", code)
		}
	}
}
