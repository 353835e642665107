package metadata

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/troupe-cloud/troupe/actors/machine"
	"github.com/troupe-cloud/troupe/cluster/watch"
	"github.com/troupe-cloud/troupe/messages"
)

// oneGuest knows one instance; its error, if set, is what everybody gets.
type oneGuest struct {
	address string
	view    *messages.InstanceView
	err     error
}

func (g oneGuest) ByAddress(_ context.Context, network string, a netip.Addr) (*messages.InstanceView, error) {
	if g.err != nil {
		return nil, g.err
	}
	if network != "net-1" || a.String() != g.address {
		return nil, fmt.Errorf("nobody has %s: %w", a, messages.NotFound)
	}
	return g.view, nil
}

func (g oneGuest) WatchConfig(context.Context, machine.Config) (<-chan watch.Change, error) {
	return nil, messages.Unavailable
}

func guest() *messages.InstanceView {
	return &messages.InstanceView{
		Id: "7e571a6e-1111-4111-8111-111111111111", Name: "web", Hostname: "web",
		KeyName: "laptop", PublicKey: "ssh-ed25519 AAAA me", UserData: []byte("#!/bin/sh\n"),
		AdminPassword: "s3cret", AvailabilityZone: "nova", SecurityGroups: []string{"a", "b"},
		Ports: []*messages.Port{{Id: "p", Address: "10.88.0.10", PrefixLength: 24}},
	}
}

func do(h http.Handler, method, path, from string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	r.RemoteAddr = from
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func newHandler(c Cloud) *Handler { return New(c, "net-1", zerolog.Nop()) }

func TestPaths(t *testing.T) { // table: one row, one path
	h := newHandler(oneGuest{address: "10.88.0.10", view: guest()})
	for path, want := range map[string]string{
		"/openstack":                                    "2012-08-10\n2013-04-04",
		"/openstack/":                                   "latest",
		"/openstack/2012-08-10":                         "meta_data.json\nuser_data",
		"/openstack/latest":                             "meta_data.json\nnetwork_data.json\nuser_data\nvendor_data.json\nvendor_data2.json",
		"/openstack/latest/user_data":                   "#!/bin/sh\n",
		"/openstack/latest/vendor_data.json":            "{}",
		"/openstack/2018-08-27/meta_data.json":          `"uuid":"7e571a6e-1111-4111-8111-111111111111"`,
		"/":                                             "2009-04-04\nlatest",
		"/latest":                                       "meta-data/\nuser-data",
		"/2009-04-04/":                                  "meta-data/\nuser-data",
		"/latest/user-data":                             "#!/bin/sh\n",
		"/latest/meta-data/":                            "placement/",
		"/latest/meta-data/local-ipv4":                  "10.88.0.10",
		"/2009-04-04/meta-data/instance-id":             "i-7e571a6e111141118",
		"/latest/meta-data/ami-launch-index":            "0",
		"/latest/meta-data/security-groups":             "a\nb",
		"/latest/meta-data/placement/availability-zone": "nova",
		"/latest/meta-data/public-keys/":                "0=laptop",
		"/latest/meta-data/public-keys/0":               "openssh-key",
		"/latest/meta-data/public-keys/0/openssh-key":   "ssh-ed25519 AAAA me",
	} {
		w := do(h, http.MethodGet, path, "10.88.0.10:4711")
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %q, want %q", path, w.Code, w.Body, want)
		}
		if w := do(h, http.MethodHead, path, "10.88.0.10:4711"); w.Code != http.StatusOK || w.Body.Len() != 0 {
			t.Errorf("HEAD %s: %d with %d bytes", path, w.Code, w.Body.Len())
		}
	}
}

func TestRefusals(t *testing.T) { // table: one row, one refusal
	known := oneGuest{address: "10.88.0.10", view: guest()}
	for name, tt := range map[string]struct {
		cloud        Cloud
		method, path string
		from         string
		want         int
	}{
		"an unknown address":       {known, "GET", "/openstack/latest/meta_data.json", "10.88.0.11:1", 404},
		"another one's header":     {known, "GET", "/latest/meta-data/", "10.88.0.99:1", 404},
		"a path that is not":       {known, "GET", "/openstack/latest/nothing", "10.88.0.10:1", 404},
		"a version that is not":    {known, "GET", "/2042-01-01/meta-data/", "10.88.0.10:1", 404},
		"below a value":            {known, "GET", "/latest/meta-data/hostname/x", "10.88.0.10:1", 404},
		"a hidden name":            {known, "GET", "/latest/meta-data/public-keys/0/_name", "10.88.0.10:1", 404},
		"out of the tree":          {known, "GET", "/openstack/../../etc/passwd", "10.88.0.10:1", 404},
		"a session token":          {known, "PUT", "/latest/api/token", "10.88.0.10:1", 405},
		"a password posted":        {known, "POST", "/openstack/latest/password", "10.88.0.10:1", 405},
		"a long path":              {known, "GET", "/" + strings.Repeat("a", MaxPath+1), "10.88.0.10:1", 414},
		"no address":               {known, "GET", "/latest", "@", 404},
		"the cloud is away":        {oneGuest{err: messages.Unavailable}, "GET", "/latest", "10.88.0.10:1", 503},
		"the cloud is out of time": {oneGuest{err: context.DeadlineExceeded}, "GET", "/latest", "10.88.0.10:1", 503},
		"the cloud is broken":      {oneGuest{err: fmt.Errorf("bug")}, "GET", "/latest", "10.88.0.10:1", 500},
	} {
		w := do(newHandler(tt.cloud), tt.method, tt.path, tt.from,
			"X-Forwarded-For", "10.88.0.10", "X-Instance-Id", guest().Id, "Forwarded", "for=10.88.0.10")
		if w.Code != tt.want {
			t.Errorf("%s: got %d %q, want %d", name, w.Code, w.Body, tt.want)
		}
	}
}

func TestNoPasswordOverHTTP(t *testing.T) {
	view := guest()
	h := newHandler(oneGuest{address: "10.88.0.10", view: view})
	w := do(h, http.MethodGet, "/openstack/latest/meta_data.json", "10.88.0.10:1")
	if !json.Valid(w.Body.Bytes()) || strings.Contains(w.Body.String(), "s3cret") {
		t.Errorf("got %s", w.Body)
	}
	if view.AdminPassword == "" {
		t.Error("the handler changed a view that is not its own")
	}
}

func TestTooManyAtOnce(t *testing.T) {
	h := newHandler(oneGuest{address: "10.88.0.10", view: guest()})
	for range MaxConcurrent {
		h.slots <- struct{}{}
	}
	if w := do(h, http.MethodGet, "/latest", "10.88.0.10:1"); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("got %d", w.Code)
	}
}

func FuzzPath(f *testing.F) { // guests write paths: never a panic, never a 500
	for _, p := range []string{"/", "/openstack/latest/", "/latest/meta-data/public-keys/0", "/../..", "/%2e%2e/"} {
		f.Add(p)
	}
	h := newHandler(oneGuest{address: "10.88.0.10", view: guest()})
	f.Fuzz(func(t *testing.T, path string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.Path, r.RemoteAddr = path, "10.88.0.10:1"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%q: %d", path, w.Code)
		}
	})
}
