package service

import (
	"errors"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/messages"
)

func TestSelect(t *testing.T) {
	a, b, c, d := endpoint("a"), endpoint("b"), endpoint("c"), endpoint("d")
	for _, e := range []*messages.Endpoint{a, b, c, d} {
		e.Cluster = "DEFAULT"
	}
	b.Healthy, c.Enabled, d.Cluster = false, false, "far"
	a.Metadata, d.Metadata = map[string]string{"zone": "1"}, map[string]string{"zone": "2"}
	all := []*messages.Endpoint{a, b, c, d}
	zone := Labels{"zone"}
	for name, tt := range map[string]struct {
		q         Query
		want      string
		protected bool
	}{
		"all but the disabled":                  {Query{}, "a -b d", false},
		"the disabled too":                      {Query{IncludeDisabled: true}, "a -b c d", false},
		"of a cluster":                          {Query{Clusters: []string{"far", "other"}}, "d", false},
		"of no cluster":                         {Query{Clusters: []string{"other"}}, "", false},
		"the healthy":                           {Query{HealthyOnly: true}, "a d", false},
		"protected from the threshold on":       {Query{HealthyOnly: true, ProtectThreshold: 0.67}, "a b d", true},
		"not protected above it":                {Query{HealthyOnly: true, ProtectThreshold: 0.66}, "a d", false},
		"protected of a cluster":                {Query{Clusters: []string{"DEFAULT"}, ProtectThreshold: 0.5}, "a b", true},
		"nobody is nothing to protect":          {Query{Clusters: []string{"other"}, ProtectThreshold: 1}, "", false},
		"like the consumer":                     {Query{Selector: zone, ConsumerIP: "d"}, "d", false},
		"a consumer without labels":             {Query{Selector: zone, ConsumerIP: "q"}, "a -b d", false},
		"nobody is like it: all":                {Query{Selector: zone, ConsumerIP: "q", LabelsOf: labels("q=3", "a=1")}, "a -b d", false},
		"labels from outside":                   {Query{Selector: zone, ConsumerIP: "q", LabelsOf: labels("q=1", "b=1", "a=2")}, "-b", false},
		"a selector comes before the threshold": {Query{Selector: zone, ConsumerIP: "d", ProtectThreshold: 0.7}, "d", false},
	} {
		got, protected := Select(all, tt.q)
		var names []string
		for _, e := range got {
			if e.Healthy {
				names = append(names, e.Ip)
			} else {
				names = append(names, "-"+e.Ip)
			}
		}
		if is := strings.Join(names, " "); is != tt.want || protected != tt.protected {
			t.Errorf("%s: %q %v, want %q %v", name, is, protected, tt.want, tt.protected)
		}
	}
	if b.Healthy {
		t.Error("an endpoint was changed")
	}
}

// labels are those of zones, given as ip=zone.
func labels(all ...string) func(string) map[string]string {
	return func(ip string) map[string]string {
		for _, l := range all {
			if of, zone, _ := strings.Cut(l, "="); of == ip {
				return map[string]string{"zone": zone}
			}
		}
		return nil
	}
}

func TestParseSelector(t *testing.T) {
	for expression, want := range map[string]string{
		"":                                    "",
		"CONSUMER.label.a = PROVIDER.label.a": "a",
		"PROVIDER.label.a=CONSUMER.label.a":   "a",
		"CONSUMER.label.a = PROVIDER.label.a & CONSUMER.label.b=PROVIDER.label.b": "a,b",
		"CONSUMER.label.a = PROVIDER.label.b":                                     "error",
		"CONSUMER.label.a = CONSUMER.label.a":                                     "error",
		"CONSUMER.label. = PROVIDER.label.":                                       "error",
		"CONSUMER.label.a = PROVIDER.label.a &":                                   "error",
		"CONSUMER.label.a != PROVIDER.label.a":                                    "error",
		"a = a":                                                                   "error",
		strings.Repeat("x", 100000):                                               "error",
		strings.TrimSuffix(strings.Repeat("CONSUMER.label.a=PROVIDER.label.a&", 17), "&"): "error",
	} {
		got, err := ParseSelector(&messages.Selector{Type: SelectorLabel, Expression: expression})
		is := strings.Join(got, ",")
		if err != nil {
			is = "error"
		}
		if is != want || err != nil && (!errors.Is(err, ErrSelector) || !errors.Is(err, messages.Invalid)) {
			t.Errorf("%.80q: %q %v, want %q", expression, is, err, want)
		}
	}
	if _, err := ParseSelector(&messages.Selector{Type: "other"}); !errors.Is(err, ErrSelector) {
		t.Errorf("an unknown type: %v", err)
	}
	if got, err := ParseSelector(nil); got != nil || err != nil {
		t.Errorf("no selector: %v %v", got, err)
	}
}

// FuzzSelector: whatever is accepted is within the limits and reads the same again.
func FuzzSelector(f *testing.F) {
	f.Add("CONSUMER.label.a = PROVIDER.label.a & CONSUMER.label.b = PROVIDER.label.b")
	f.Add("PROVIDER.label.\u00e9=CONSUMER.label.\u00e9")
	f.Add("CONSUMER.label.a = PROVIDER.label.a & ")
	f.Add("&&==")
	f.Fuzz(func(t *testing.T, expression string) {
		got, err := ParseSelector(&messages.Selector{Type: SelectorLabel, Expression: expression})
		if err != nil {
			return
		}
		if len(got) > MaxSelectorLabels {
			t.Fatalf("%d labels", len(got))
		}
		again, err := parseLabels(got.String())
		if len(got.String()) <= MaxSelectorChars && (err != nil || again.String() != got.String()) {
			t.Fatalf("%q became %q: %v", got, again, err)
		}
	})
}

// FuzzParse: an identity that is accepted is made of its parts again.
func FuzzParse(f *testing.F) {
	f.Add("public@@DEFAULT_GROUP@@a")
	f.Add("@@@@")
	f.Add("ns@@g@@a@")
	f.Add("ns@@g@@@a")
	f.Fuzz(func(t *testing.T, id string) {
		namespace, group, name, err := Parse(id)
		if err == nil && ID(namespace, group, name) != id {
			t.Fatalf("%q became %q", id, ID(namespace, group, name))
		}
	})
}

func TestNames(t *testing.T) {
	for name, tt := range map[string]struct{ got, want error }{
		"plain":              {Check("ns-1_a", "g.a:b-c_d", "com.acme.Orders:1.0"), nil},
		"defaults":           {Check("", "", "a"), nil},
		"long name":          {CheckName(strings.Repeat("a", MaxNameChars)), nil},
		"too long name":      {CheckName(strings.Repeat("a", MaxNameChars+1)), ErrName},
		"name with a blank":  {CheckName("a b"), ErrName},
		"Chinese name":       {CheckName("a\u4e2d"), ErrName},
		"name in another":    {CheckName("caf\u00e9"), nil},
		"name that is none":  {CheckName(""), ErrName},
		"name with @@":       {CheckName("a@@b"), ErrName},
		"name with @":        {CheckName("a@b"), nil},
		"name after @":       {CheckName("@b"), ErrName},
		"name of bad bytes":  {CheckName("a\xff"), ErrName},
		"group with a slash": {CheckGroup("a/b"), ErrGroup},
		"long group":         {CheckGroup(strings.Repeat("a", MaxGroupChars+1)), ErrGroup},
		"namespace":          {CheckNamespace("a.b"), ErrNamespace},
		"cluster":            {CheckCluster("a,b"), ErrCluster},
	} {
		if !errors.Is(tt.got, tt.want) || tt.want != nil && !errors.Is(tt.got, messages.Invalid) {
			t.Errorf("%s: %v, want %v", name, tt.got, tt.want)
		}
	}
	if _, _, _, err := Parse("a@@b"); !errors.Is(err, messages.Invalid) {
		t.Errorf("two parts: %v", err)
	}
}

func TestCheckEndpoint(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*messages.Endpoint)
		want   error
	}{
		"as it is":       {func(*messages.Endpoint) {}, nil},
		"a host name":    {func(e *messages.Endpoint) { e.Ip = "db.example.org" }, nil},
		"IPv6":           {func(e *messages.Endpoint) { e.Ip = "fe80::1%eth0" }, nil},
		"no address":     {func(e *messages.Endpoint) { e.Ip = "" }, ErrAddress},
		"a blank":        {func(e *messages.Endpoint) { e.Ip = "a b" }, ErrAddress},
		"port":           {func(e *messages.Endpoint) { e.Port = MaxPort + 1 }, ErrPort},
		"weight":         {func(e *messages.Endpoint) { e.Weight = MaxWeight + 0.1 }, ErrWeight},
		"weight below 0": {func(e *messages.Endpoint) { e.Weight = -1 }, ErrWeight},
		"no number":      {func(e *messages.Endpoint) { e.Weight /= 0; e.Weight -= e.Weight }, ErrWeight},
		"metadata":       {func(e *messages.Endpoint) { e.Metadata = map[string]string{"k": strings.Repeat("v", MaxMetadataChars)} }, ErrMetadata},
		"full metadata": {func(e *messages.Endpoint) {
			e.Metadata = map[string]string{"k": strings.Repeat("v", MaxMetadataChars-1)}
		}, nil},
		"metadata of bytes":   {func(e *messages.Endpoint) { e.Metadata = map[string]string{"k": "\xff"} }, ErrMetadata},
		"interval":            {func(e *messages.Endpoint) { e.BeatIntervalMs = 15000 }, ErrBeat},
		"interval of removal": {func(e *messages.Endpoint) { e.BeatIntervalMs, e.BeatTimeoutMs, e.DeleteTimeoutMs = 5000, 9000, 5000 }, ErrBeat},
		"all three":           {func(e *messages.Endpoint) { e.BeatIntervalMs, e.BeatTimeoutMs, e.DeleteTimeoutMs = 1000, 3000, 2000 }, nil},
		"for ever":            {func(e *messages.Endpoint) { e.DeleteTimeoutMs = MaxTimeout.Milliseconds() + 1 }, ErrBeat},
		"cluster":             {func(e *messages.Endpoint) { e.Cluster = "a b" }, ErrCluster},
		"id":                  {func(e *messages.Endpoint) { e.Id = "\xff" }, ErrText},
	} {
		e := endpoint("10.0.0.1")
		tt.change(e)
		if err := CheckEndpoint(e); !errors.Is(err, tt.want) || tt.want != nil && !errors.Is(err, messages.Invalid) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}
