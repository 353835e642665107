package naming

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

func TestParseMetadata(t *testing.T) {
	for raw, want := range map[string]map[string]string{
		"":                           nil,
		"  ":                         nil,
		"{}":                         nil,
		"null":                       nil,
		`{"a":"b"}`:                  {"a": "b"},
		` {"a":"b","n":1,"t":true} `: {"a": "b", "n": "1", "t": "true"},
		`{"a":null}`:                 {"a": ""},
		`{"a":"b","a":"c"}`:          {"a": "c"},
		"a=b":                        {"a": "b"},
		"a=b, c = d":                 {"a": "b", "c": "d"},
		"a=":                         {"a": ""},
	} {
		if got, err := parseMetadata(raw, api.MetadataError); err != nil || !maps.Equal(got, want) {
			t.Errorf("%q: got %v, %v, want %v", raw, got, err, want)
		}
	}
	for _, raw := range []string{"a", "=b", "a=b=c", "a=b,", `{"a":`, `{"a":{}}`, `{"a":"b"}x`, "[]", strings.Repeat("x", maxMetadataBytes+1)} {
		if _, err := parseMetadata(raw, api.MetadataError); api.CodeOf(err) != api.MetadataError {
			t.Errorf("%.20q: got %v", raw, err)
		}
	}
}

func TestParseBeat(t *testing.T) {
	const full = `{"cluster":"c","ip":" 1.2.3.4 ","port":80,"metadata":{"a":"b"},"period":5000,"scheduled":false,"serviceName":"g@@s","weight":2.5,"ephemeral":true,"x":[{}]}`
	e, err := parseBeat(full)
	if err != nil || e.Ip != "1.2.3.4" || e.Port != 80 || e.Cluster != "c" || e.Weight != 2.5 || e.Metadata["a"] != "b" || e.Persistent || !e.Healthy {
		t.Errorf("got %v, %v", e, err)
	}
	if e, err := parseBeat(`{"ip":"h","port":"80","cluster":null}`); err != nil || e.Cluster != "" || e.Weight != 1 || e.Port != 80 {
		t.Errorf("got %v, %v", e, err)
	}
	for _, raw := range []string{"", "null", "{}", "[]", `{"ip":"h","port":65536}`, `{"ip":"h","port":-1}`, `{"ip":"h","port":"x"}`, `{"ip":"a b","port":1}`, `{"ip":"h","port":1}}`, strings.Repeat(" ", maxBeatBytes+1)} {
		if _, err := parseBeat(raw); api.CodeOf(err) != api.ParameterInvalid {
			t.Errorf("%.20q: got %v", raw, err)
		}
	}
}

func TestParseSelector(t *testing.T) {
	const label = "CONSUMER.label.a = PROVIDER.label.a"
	for raw, want := range map[string]*messages.Selector{
		"":                                   {Type: "none"},
		`{"type":"none"}`:                    {Type: "none"},
		`%7B%22type%22%3A%22none%22%7D`:      {Type: "none"},
		`{"expression":null,"type":"label"}`: {Type: "label"},
		`{"type":"label","expression":"` + label + `","x":1}`: {Type: "label", Expression: label},
	} {
		got, err := parseSelector(raw)
		if err != nil || got.GetType() != want.GetType() || got.GetExpression() != want.GetExpression() {
			t.Errorf("%q: got %v, %v", raw, got, err)
		}
	}
	for _, raw := range []string{"{", "{}", "[]", "null", `{"type":""}`, `{"type":"x"}`, `{"type":"label","expression":"a = b"}`, strings.Repeat("x", maxSelectorBytes+1)} {
		if _, err := parseSelector(raw); api.CodeOf(err) != api.SelectorError {
			t.Errorf("%.20q: got %v", raw, err)
		}
	}
}

func TestParseChecker(t *testing.T) {
	got, err := parseChecker(`{"type":"http","path":"/a","headers":"h:v","expectedResponseCode":"204"}`)
	if err != nil || got.Type != "HTTP" || got.Path != "/a" || got.Headers != "h:v" || got.ExpectedCodes[0] != 204 {
		t.Errorf("got %v, %v", got, err)
	}
	for _, raw := range []string{"", "{}", `{"type":"MYSQL"}`, `{"type":"TCP"`, `{"type":{}}`, strings.Repeat("x", maxCheckerBytes+1)} {
		if _, err := parseChecker(raw); api.CodeOf(err) != api.ParameterInvalid {
			t.Errorf("%.20q: got %v", raw, err)
		}
	}
}

func TestParseInstances(t *testing.T) {
	got, err := parseInstances(`[{"ip":"a","port":1},null,{"ip":"b","port":2,"clusterName":"c","ephemeral":true}]`)
	if err != nil || len(got) != 2 || got[0].Cluster != service.DefaultCluster || got[1].Ip != "b" || got[1].Port != 2 || got[1].Cluster != "c" {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := parseInstances("null"); err != nil || got != nil {
		t.Errorf("got %v, %v", got, err)
	}
	many := "[" + strings.Repeat(`{"ip":"a","port":1},`, maxBatch) + `{"ip":"a","port":1}]`
	for _, raw := range []string{"{}", "[", `[{"ip":"a"`, `[{"port":1}]`, `[{"ip":"a","port":70000}]`, `[{"ip":"a","port":1,"clusterName":"a b"}]`, many, strings.Repeat("x", maxBatchBytes+1)} {
		if _, err := parseInstances(raw); !errors.Is(err, messages.Invalid) {
			t.Errorf("%.20q: got %v", raw, err)
		}
	}
}

func TestMatcher(t *testing.T) {
	for _, tt := range []struct {
		expr, name string
		want       bool
	}{
		{"", "a", true}, {"rder", "orders", true}, {"o.*s", "orders", true}, {"^ord$", "orders", false},
		{"*ders*", "orders", true}, {"(", "f(x)", true}, {"(", "orders", false},
	} {
		r := &api.Request{Params: map[string][]string{"expr": {tt.expr}}}
		if got := matcher(r.Values(), "expr")(tt.name); got != tt.want {
			t.Errorf("%q of %q: got %v", tt.expr, tt.name, got)
		}
	}
	v := (&api.Request{Params: map[string][]string{"expr": {strings.Repeat("a", maxPattern+1)}}}).Values()
	if matcher(v, "expr"); v.Err() == nil {
		t.Error("a pattern too long is no error")
	}
}

func TestIsAddress(t *testing.T) {
	for id, want := range map[string]string{"1.2.3.4:5#true": "1.2.3.4", "[::1]:5#false": "::1", "host:1#true": "host"} {
		if host, _, ok := isAddress(id); !ok || host != want {
			t.Errorf("%s: got %q, %v", id, host, ok)
		}
	}
	for _, id := range []string{"", "#true", "1.2.3.4:5", "1.2.3.4#true", "a:b#true", "1700_1.2.3.4_5"} {
		if _, _, ok := isAddress(id); ok {
			t.Errorf("%s is no address", id)
		}
	}
}

func FuzzParseMetadata(f *testing.F) {
	for _, s := range []string{"", "{}", `{"a":"b"}`, "a=b,c=d", "a=b=c", `{"\u0000":"\ud800"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		m, err := parseMetadata(raw, api.MetadataError)
		if err != nil && (m != nil || api.CodeOf(err) != api.MetadataError) {
			t.Errorf("%v, %v", m, err)
		}
	})
}

func FuzzParseBeat(f *testing.F) {
	for _, s := range []string{"", "{}", `{"ip":"1.2.3.4","port":80,"cluster":"c","metadata":{"a":"b"},"weight":1e400}`, `{"ip":"h","port":1,"metadata":null}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		e, err := parseBeat(raw)
		switch {
		case err != nil:
			if !errors.Is(err, messages.Invalid) {
				t.Errorf("%v", err)
			}
		case e.Ip == "" || e.Port < 0 || e.Port > api.MaxPort:
			t.Errorf("took %v", e)
		default:
			_ = finish(api.Key{Group: "g", Name: "n"}, e)
		}
	})
}

func FuzzParseSelector(f *testing.F) {
	for _, s := range []string{"", "{}", `{"type":"none"}`, `{"type":"label","expression":"CONSUMER.label.a = PROVIDER.label.a & CONSUMER.label.b=PROVIDER.label.b"}`, "%7B%7D", "%"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		s, err := parseSelector(raw)
		if err != nil {
			if !errors.Is(err, messages.Invalid) {
				t.Errorf("%v", err)
			}
			return
		}
		if _, err := service.ParseSelector(s); err != nil {
			t.Errorf("took %v: %v", s, err)
		}
	})
}

func FuzzParseChecker(f *testing.F) {
	f.Add(`{"type":"HTTP","path":"/","headers":"a:b","expectedResponseCode":200}`)
	f.Add(`{"type":"NONE"}`)
	f.Fuzz(func(t *testing.T, raw string) {
		if c, err := parseChecker(raw); err == nil && c.Type == "" {
			t.Errorf("took %v", c)
		}
	})
}

func FuzzParseInstances(f *testing.F) {
	f.Add(`[{"ip":"1.2.3.4","port":80,"clusterName":"c","ephemeral":true}]`)
	f.Add(`[null]`)
	f.Fuzz(func(t *testing.T, raw string) {
		keys, err := parseInstances(raw)
		for _, k := range keys {
			if err == nil && (k.Ip == "" || k.Cluster == "" || k.Port < 0 || k.Port > api.MaxPort) {
				t.Errorf("took %v", k)
			}
		}
	})
}
