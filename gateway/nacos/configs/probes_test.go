package configs

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/gateway/nacos/api"
	"github.com/troupe-cloud/troupe/messages"
)

func TestParseProbes(t *testing.T) {
	for name, tt := range map[string]struct {
		in   string
		want []probe
		err  error
	}{
		"without a tenant":     {"a\x02g\x02m\x01", []probe{{"a", "g", "", "m"}}, nil},
		"with one":             {"a\x02g\x02m\x02dev\x01", []probe{{"a", "g", "dev", "m"}}, nil},
		"nothing is had":       {"a\x02g\x02\x01b\x02g\x02\x02dev\x01", []probe{{"a", "g", "", ""}, {"b", "g", "dev", ""}}, nil},
		"escaped twice":        {"a%02g%02m%01", []probe{{"a", "g", "", "m"}}, nil},
		"a line behind":        {"a\x02g\x02m\x01\n", []probe{{"a", "g", "", "m"}}, nil},
		"nothing":              {"", nil, messages.Invalid},
		"an end that is none":  {"a\x02g\x02m", nil, messages.Invalid},
		"something behind":     {"a\x02g\x02m\x01b", nil, messages.Invalid},
		"two fields":           {"a\x02g\x01", nil, messages.Invalid},
		"five fields":          {"a\x02g\x02m\x02n\x02o\x01", nil, messages.Invalid},
		"no data id":           {"\x02g\x02m\x01", nil, messages.Invalid},
		"a name that is none":  {"a@@b\x02g\x02m\x01", nil, messages.Invalid},
		"a tenant that is":     {"a\x02g\x02m\x02../x\x01", nil, messages.Invalid},
		"an MD5 too long":      {"a\x02g\x02" + strings.Repeat("m", 65) + "\x01", nil, messages.Invalid},
		"as many as there may": {strings.Repeat("a\x02g\x02\x01", maxKeys), nil, nil},
		"one more":             {strings.Repeat("a\x02g\x02\x01", maxKeys+1), nil, messages.Unavailable},
	} {
		got, err := parseProbes(tt.in)
		if !errors.Is(err, tt.err) || tt.want != nil && !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %v, %v, want %v, %v", name, got, err, tt.want, tt.err)
		}
	}
}

// FuzzParseProbes: whatever is read names keys that there can be, and is answered
// in the words of the client.
func FuzzParseProbes(f *testing.F) {
	for _, s := range []string{"", "a\x02g\x02m\x01", "a\x02g\x02m\x02dev\x01b\x02g\x02\x01", "a%02g%02m%01", "%01%", "\x01\x01", "a\x02g\x02m\x02\x01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		probes, err := parseProbes(s)
		if err != nil {
			return
		}
		if len(probes) == 0 || len(probes) > maxKeys {
			t.Fatalf("%d keys", len(probes))
		}
		for _, p := range probes {
			k := p.key()
			if err := first(api.CheckDataID(k.Name), api.CheckGroup(k.Group), api.CheckNamespace(k.Namespace)); err != nil {
				t.Error(err)
			}
		}
		if n := strings.Count(string(answerTo(probes)), escapedLineEnd); n != len(probes) {
			t.Errorf("%d of %d keys in the answer", n, len(probes))
		}
	})
}

func TestHangs(t *testing.T) {
	for name, tt := range map[string]struct {
		header http.Header
		want   time.Duration
	}{
		"not asked":         {http.Header{}, 0},
		"as asked":          {http.Header{hangHeader: {"30000"}}, 29500 * time.Millisecond},
		"at least":          {http.Header{hangHeader: {"5000"}}, 10 * time.Second},
		"at most":           {http.Header{hangHeader: {"2000000000"}}, maxHang},
		"less than nothing": {http.Header{hangHeader: {"-1"}}, 10 * time.Second},
		"no number":         {http.Header{hangHeader: {"soon"}}, 0},
		"must not":          {http.Header{hangHeader: {"30000"}, noHangHeader: {"true"}}, 0},
	} {
		if got := hangs(tt.header); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

func TestIsOld(t *testing.T) {
	for version, want := range map[string]bool{
		"": true, "1.4.2": true, "2.0.3": true, "2.0.4": false, "2.1.0": false, "3.0.0-BETA": false,
		"Nacos-Java-Client:v1.4.2": true, "Nacos-Java-Client:v2.5.1": false, "Nacos-Go-Client:v1.1.6": true, "2.0": false, "x": true,
	} {
		if got := isOld(version); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}
