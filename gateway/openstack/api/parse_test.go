package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/troupe-cloud/troupe/messages"
)

func TestNegotiate(t *testing.T) {
	m := NewMicroversions("compute", "X-OpenStack-Nova-API-Version", Version{2, 1}, Version{2, 93})
	for name, tt := range map[string]struct {
		header, legacy string
		want           string
		status         int
	}{
		"none":             {"", "", "2.1", 200},
		"plain":            {"compute 2.37", "", "2.37", 200},
		"legacy":           {"", "2.40", "2.40", 200},
		"first wins":       {"compute 2.37", "2.40", "2.37", 200},
		"latest":           {"compute latest", "", "2.93", 200},
		"several services": {"volume 3.1, compute 2.90", "", "2.90", 200},
		"another's":        {"volume 3.1", "", "2.1", 200},
		"too new":          {"compute 2.94", "", "2.1", 406},
		"other major":      {"compute 3.1", "", "2.1", 406},
		"too old":          {"compute 2.0", "", "2.1", 406},
		"malformed":        {"compute two", "", "2.1", 400},
		"leading zero":     {"compute 2.01", "", "2.1", 400},
		"overlong":         {"compute 2.99999", "", "2.1", 400},
	} {
		r := &Request{Request: httptest.NewRequest("GET", "/", nil)}
		if tt.header != "" {
			r.Header.Set("OpenStack-API-Version", tt.header)
		}
		if tt.legacy != "" {
			r.Header.Set("X-OpenStack-Nova-API-Version", tt.legacy)
		}
		h := http.Header{}
		err := m.Negotiate(r, h)
		if Status(err) != tt.status || r.Version.String() != tt.want {
			t.Errorf("%s: %v %v", name, r.Version, err)
		}
		if h.Get("OpenStack-API-Version") != "compute "+tt.want || h.Get("X-OpenStack-Nova-API-Version") != tt.want || len(h["Vary"]) != 2 {
			t.Errorf("%s: %v", name, h)
		}
	}
}

func TestPage(t *testing.T) {
	for query, want := range map[string]Page{
		"":                    {1000, ""},
		"limit=10&marker=abc": {10, "abc"},
		"limit=0":             {1000, ""},
		"limit=5000":          {1000, ""},
	} {
		q, _ := url.ParseQuery(query)
		if got, err := PageOf(q, 1000); err != nil || got != want {
			t.Errorf("%q: %v %v", query, got, err)
		}
	}
	for _, bad := range []string{"-1", "x", "1.5", "99999999999999999999"} {
		if _, err := PageOf(url.Values{"limit": {bad}}, 1000); !errors.Is(err, messages.Invalid) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	r := &Request{Request: httptest.NewRequest("GET", "http://h:1/compute/v2.1/servers?limit=2&marker=a", nil)}
	if got := NextLink(r, "b"); got != "http://h:1/compute/v2.1/servers?limit=2&marker=b" {
		t.Error(got)
	}
}

func FuzzRequestedVersion(f *testing.F) {
	m := NewMicroversions("compute", "X-OpenStack-Nova-API-Version", Version{2, 1}, Version{2, 93})
	for _, s := range []string{"", "compute 2.1", "compute latest", "volume 3.1,compute 2.90", "compute 2.", "compute", ",,", "compute 9999.9999"} {
		f.Add(s, "2.1")
	}
	f.Fuzz(func(t *testing.T, header, legacy string) {
		r := &Request{Request: &http.Request{Header: http.Header{headerVersion: {header}, "X-Openstack-Nova-Api-Version": {legacy}}}}
		err := m.Negotiate(r, http.Header{})
		if v := r.Version; v.Major != 2 || v.Minor < 1 || v.Minor > 93 {
			t.Errorf("%q, %q: %v", header, legacy, v)
		}
		if s := Status(err); s != 200 && s != 400 && s != 406 {
			t.Errorf("%q, %q: %d", header, legacy, s)
		}
	})
}

func FuzzCheckJSON(f *testing.F) {
	for _, s := range []string{`{}`, `[[[[`, `{"a":"\"[{"}`, `"\\"`, "\xff", `{"a":{"b":[1,2,{"c":null}]}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if checkJSON(raw) == nil && !json.Valid(raw) {
			t.Errorf("accepted %q", raw)
		}
	})
}
