package machine

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/messages"
)

// show is wishes as the tests write them; "bad": refused.
func show(w Wishes, err error) string {
	if err != nil {
		return "bad"
	}
	var all []string
	for _, s := range w.Services {
		one := fmt.Sprintf("%s%v", strings.TrimPrefix(s.ID, "public@@DEFAULT_GROUP@@"), s.Ports)
		if s.Cluster != service.DefaultCluster {
			one += " in " + s.Cluster
		}
		if s.Weight != 1 {
			one += fmt.Sprint(" weighs ", s.Weight)
		}
		if s.Check != nil {
			one += " checked by " + s.Check.Type + s.Check.Path
		}
		all = append(all, one)
	}
	for _, c := range w.Configs {
		all = append(all, "config "+c.Namespace+"/"+c.Group+"/"+c.DataID)
	}
	if w.Drain != DefaultDrain {
		all = append(all, fmt.Sprint("drains ", w.Drain))
	}
	if w.Network != "" {
		all = append(all, "on "+w.Network)
	}
	return strings.Join(all, "; ")
}

func TestParse(t *testing.T) { // table: one row, "key=value ..." of metadata, | tags, and what they ask for
	for text, want := range map[string]string{
		"service=web":                    "web[80]",
		"service=web:8080":               "web[8080]",
		"service=b,a:1,b:81":             "a[1]; b[80 81]",
		"service=web,web:80,":            "web[80]",
		"service=web group=g":            "public@@g@@web[80]",
		"service=web namespace=dev":      "dev@@DEFAULT_GROUP@@web[80]",
		"service=web cluster=c weight=2": "web[80] in c weighs 2",
		"service=web weight=0":           "web[80] weighs 0",
		"service=web check=tcp":          "web[80] checked by TCP",
		"service=web check=http:/a?b=c":  "web[80] checked by HTTP/a?b=c",
		"service=web check=none":         "web[80]",
		"service=web drain=0":            "web[80]; drains 0s",
		"service=web drain=300":          "web[80]; drains 5m0s",
		"service=web network=inner":      "web[80]; on inner",
		"service=web|network=inner":      "web[80]; on inner",
		"service=web|service=api:81":     "api[81]; web[80]",
		"|service=web weight=3":          "web[80] weighs 3",
		"service=web weight=2|weight=3":  "web[80] weighs 2",
		"config=a,b@g":                   "config /DEFAULT_GROUP/a; config /g/b",
		"config=a namespace=n group=g":   "config n/g/a",
		"weight=x":                       "drains 0s", // nothing is asked for
		"service=":                       "",
		"service=web:0":                  "bad",
		"service=web:65536":              "bad",
		"service=web:http":               "bad",
		"service=web:+80":                "bad",
		"service=:80":                    "bad",
		"service=a@@b":                   "bad",
		"service=web weight=NaN":         "bad",
		"service=web weight=-1":          "bad",
		"service=web weight=10001":       "bad",
		"service=web drain=301":          "bad",
		"service=web drain=-1":           "bad",
		"service=web drain=1.5":          "bad",
		"service=web check=http:":        "bad",
		"service=web check=http:x":       "bad",
		"service=web check=icmp":         "bad",
		"service=web cluster=a.b":        "bad",
		"service=web group=a/b":          "bad",
		"service=web namespace=a.b":      "bad",
		"service=a,b,c,d,e,f,g,h,i":      "bad",
		"config=a@b@c":                   "bad",
		"config=@g":                      "bad",
		"config=..%2f":                   "bad",
	} {
		asked, tagged, _ := strings.Cut(text, "|")
		metadata := map[string]string{"unrelated": "x"}
		for _, pair := range strings.Fields(asked) {
			k, v, _ := strings.Cut(pair, "=")
			metadata[Prefix+k] = v
		}
		tags := []string{"unrelated"}
		for _, tag := range strings.Fields(tagged) {
			tags = append(tags, Prefix+tag)
		}
		got, err := Parse(metadata, tags)
		if show(got, err) != want {
			t.Errorf("%s: got %q (%v), want %q", text, show(got, err), err, want)
		}
		if err != nil && !errors.Is(err, messages.Invalid) {
			t.Errorf("%s: %v is no kind", text, err)
		}
	}
}

// FuzzParse: users write metadata. Whatever stands there is refused, or is what a
// service may hold.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"web:80,api", "a:b:99999", "@@", "\xff", ",,,", "x@g"} {
		f.Add(s, "2", "http:/", "5", "tcp")
	}
	f.Fuzz(func(t *testing.T, name, weight, check, drain, tag string) {
		md := map[string]string{ServiceKey: name, ConfigKey: name, WeightKey: weight, CheckKey: check, DrainKey: drain}
		w, err := Parse(md, []string{Prefix + tag, ServiceKey + "=" + tag})
		if err != nil {
			if !errors.Is(err, messages.Invalid) {
				t.Fatal(err)
			}
			return
		}
		if len(w.Services) > MaxServices || len(w.Configs) > MaxConfigs || w.Drain < 0 || w.Drain > MaxDrain {
			t.Fatalf("too much: %+v", w)
		}
		for _, s := range w.Services {
			if _, _, _, err := service.Parse(s.ID); err != nil {
				t.Fatal(err)
			}
			for _, port := range s.Ports {
				e := &messages.Endpoint{Ip: "10.0.0.1", Port: port, Cluster: s.Cluster, Weight: s.Weight, Check: s.Check}
				if err := service.CheckEndpoint(e); err != nil || port == 0 {
					t.Fatal(port, err)
				}
			}
		}
	})
}

// TestNothingAsked: most servers ask for nothing.
func TestNothingAsked(t *testing.T) {
	w, err := Parse(map[string]string{"a": "b"}, []string{"x"})
	if err != nil || len(w.Services)+len(w.Configs) != 0 || w.Drain != time.Duration(0) {
		t.Error(w, err)
	}
}
