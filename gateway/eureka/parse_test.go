package eureka

import (
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"

	"github.com/troupe-cloud/troupe/actors/service"
)

func TestXMLNames(t *testing.T) {
	for text, name := range map[string]string{
		"zone": "zone", "my_key": "my__key", "a$b": "a_-b", "a b": "a_.0020b", "1a": "_.0031a", "a.b-c9": "a.b-c9",
		"ä": "ä", "a/b": "a_.002fb", "_": "__", "__": "____", "<": "_.003c",
	} {
		if got := toXMLName(text); got != name || fromXMLName(name) != text {
			t.Errorf("%q is %q and back %q", text, got, fromXMLName(got))
		}
	}
	for name, text := range map[string]string{"apps__hashcode": "apps_hashcode", "a_b": "a_b", "_.zzzz": "_.zzzz", "_.00": "_.00", "a_": "a_", "_.0000": ""} {
		if got := fromXMLName(name); got != text {
			t.Errorf("%q is %q, want %q", name, got, text)
		}
	}
}

// TestHostileBodies: what would take memory or time is refused at its limit.
func TestHostileBodies(t *testing.T) {
	deep := strings.Repeat("<a>", 200_000)
	many := "<instance>" + strings.Repeat("<a/>", maxNodes+1) + "</instance>"
	laughs := `<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><instance><app>&b;</app></instance>`
	for name, tt := range map[string]struct {
		body string
		want error
	}{
		"deep":              {"<instance>" + deep, errDeep},
		"many":              {many, errMany},
		"a bomb":            {laughs, errDTD},
		"external entity":   {`<!DOCTYPE instance SYSTEM "http://127.0.0.1:1/x.dtd"><instance/>`, errDTD},
		"a DTD within":      {`<instance><!DOCTYPE x></instance>`, errDTD},
		"entity, no DTD":    {`<instance><app>&b;</app></instance>`, nil},
		"another element":   {`<application/>`, errShape},
		"none":              {``, errShape},
		"two":               {`<instance/><instance/>`, nil},
		"not closed":        {`<instance><app>`, nil},
		"wrongly closed":    {`<instance><app></instance></app>`, nil},
		"UTF-16":            {`<?xml version="1.0" encoding="UTF-16"?><instance/>`, errCharset},
		"no character":      {"<instance><app>\x01</app></instance>", nil},
		"an attribute bomb": {"<instance " + strings.Repeat("a='x' ", 10_000), nil},
	} {
		if _, err := readXML([]byte(tt.body), "instance", maxNodes); err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("XML, %s: %v", name, err)
		}
	}
	for name, tt := range map[string]struct {
		body string
		want error
	}{
		"deep":         {`{"instance":` + strings.Repeat(`{"a":`, 200_000), errDeep},
		"deep arrays":  {`{"instance":` + strings.Repeat(`[`, 200_000), errDeep},
		"many":         {`{"instance":{"a":[` + strings.Repeat("1,", maxNodes) + `1]}}`, errMany},
		"more behind":  {`{"instance":{}}{}`, nil},
		"no instance":  {`{}`, errShape},
		"null":         {`{"instance":null}`, errShape},
		"an array":     {`[]`, errShape},
		"text":         {`"instance"`, errShape},
		"not closed":   {`{"instance":{`, nil},
		"empty":        {``, nil},
		"wrong number": {`{"instance":{"a":1e}}`, nil},
	} {
		if _, err := readJSON([]byte(tt.body), "instance", maxNodes); err == nil || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("JSON, %s: %v", name, err)
		}
	}
}

// TestForms: what clients write in different ways means the same.
func TestForms(t *testing.T) {
	for body, want := range map[string]func(*instance) bool{
		`{"port":{"$":"80","@enabled":true}}`: func(i *instance) bool { return i.Port == port{80, true} },
		`{"port":80}`:                         func(i *instance) bool { return i.Port == port{80, true} },
		`{"securePort":{"$":443}}`:            func(i *instance) bool { return i.Secure == port{443, false} },
		`{"port":{"$":-1}}`:                   func(i *instance) bool { return i.Port.Number > service.MaxPort },
		`{"metadata":null}`:                   func(i *instance) bool { return len(i.Metadata) == 0 },
		`{"metadata":{"@class":"java.util.Collections$EmptyMap"}}`: func(i *instance) bool { return len(i.Metadata) == 0 },
		`{"metadata":{"a":1.50,"b":true,"c":null,"d":{"e":"f"}}}`: func(i *instance) bool {
			return maps.Equal(i.Metadata, map[string]string{"a": "1.50", "b": "true", "d": ""})
		},
		`{"overriddenStatus":"DOWN"}`:                         func(i *instance) bool { return i.Override == down },
		`{"overriddenStatus":"DOWN","overriddenstatus":"UP"}`: func(i *instance) bool { return i.Override == up },
		`{"status":"GOOD"}`:                                   func(i *instance) bool { return i.Status == unknown },
		`{}`:                                                  func(i *instance) bool { return i.Status == up && i.Port == port{7001, true} },
		`{"lastDirtyTimestamp":"12"}`:                         func(i *instance) bool { return i.Dirty == 12 },
		`{"lastDirtyTimestamp":1.2e1}`:                        func(i *instance) bool { return i.Dirty == 12 },
		`{"lastDirtyTimestamp":"x"}`:                          func(i *instance) bool { return i.Dirty == 0 },
		`{"hostName":"h"}`:                                    func(i *instance) bool { return i.ID == "h" },
		`{"app":"a","app":"b"}`:                               func(i *instance) bool { return i.App == "B" },
		`{"hostName":"h","dataCenterInfo":{"metadata":{"instance-id":"i-1"}}}`: func(i *instance) bool { return i.ID == "i-1" },
	} {
		n, err := readJSON([]byte(`{"instance":`+body+`}`), "instance", maxNodes)
		if err != nil || !want(n.instance()) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

var seeds = []string{
	`{"instance":{"instanceId":"h:a:80","hostName":"h","app":"A","ipAddr":"10.0.0.1","port":{"$":80,"@enabled":"true"},"status":"UP","dataCenterInfo":{"@class":"x","name":"MyOwn"},"leaseInfo":{"durationInSecs":90},"metadata":{"a":"b<","@class":"c"},"lastDirtyTimestamp":"1"}}`,
	`{"instance":{"metadata":{"a":[1,{"$":2}]}}}`,
	`<instance><instanceId>h</instanceId><hostName>h</hostName><app>a</app><ipAddr>10.0.0.1</ipAddr><port enabled="true">80</port><dataCenterInfo class="c"><name>MyOwn</name></dataCenterInfo><metadata><a__b>&lt;</a__b></metadata></instance>`,
	`<!DOCTYPE x [<!ENTITY a "b">]><instance>&a;</instance>`,
	`<?xml version="1.0" encoding="UTF-8"?><instance/>`,
}

// FuzzInstance: whatever a body says, what is accepted of it is stored, read back and
// written in both formats so that it is the same again.
func FuzzInstance(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		read := readXML
		if len(raw) > 0 && raw[0] == '{' {
			read = readJSON
		}
		n, err := read(raw, "instance", maxNodes)
		if err != nil {
			return
		}
		i := n.instance()
		if i.lacking(i.App) != "" || service.CheckName(i.App) != nil {
			return
		}
		i.settle()
		e, err := i.endpoint(service.DefaultCluster, false)
		if err != nil || service.CheckEndpoint(e) != nil {
			return
		}
		stored := newEntry(i.App, e)
		if !maps.Equal(stored.Metadata, i.Metadata) || stored.ID != i.ID || stored.Host != i.Host || stored.Dirty != i.Dirty {
			t.Errorf("stored is %+v, was %+v", stored.instance, i)
		}
		if n, err = readJSON(stored.one(true, false), "instance", maxNodes); err != nil {
			t.Fatalf("what is written as JSON cannot be read: %v", err)
		}
		sameAgain(t, "JSON", n.instance(), stored.instance)
		if n, err = readXML(stored.one(false, false), "instance", maxNodes); err != nil {
			t.Fatalf("what is written as XML cannot be read: %v\n%s", err, stored.one(false, false))
		}
		sameAgain(t, "XML", n.instance(), stored.instance)
	})
}

// sameAgain compares what was read back. Formats cannot carry some characters and
// some names.
func sameAgain(t *testing.T, format string, got, want *instance) {
	t.Helper()
	odd := func(s string) bool {
		return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0xfffd || 0x7f <= r && r < 0xa0 }) || s != strings.TrimSpace(s)
	}
	got.Lease, got.Override, got.Group = want.Lease, want.Override, want.Group
	if odd(strings.Join([]string{want.ID, want.Host, want.IP, want.SID, want.VIP, want.SVIP, want.ASG, want.Home, want.StatusPage, want.Health,
		want.SecureHealth, want.Center.Class, want.Center.Name, want.App}, "x")) || want.SID == noSID {
		return
	}
	for _, m := range []map[string]string{want.Metadata, want.Center.Metadata} {
		for k, v := range m {
			if strings.HasPrefix(k, "@") || k == "$" || odd(k+"x"+v) || fromXMLName(toXMLName(k)) != k {
				return
			}
		}
	}
	got.Coordinating = want.Coordinating
	if !maps.Equal(got.Metadata, want.Metadata) || !maps.Equal(got.Center.Metadata, want.Center.Metadata) {
		t.Errorf("%s: metadata are %v, were %v", format, got.Metadata, want.Metadata)
	}
	got.Metadata, got.Center.Metadata = want.Metadata, want.Center.Metadata
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: read back is\n%+v, was\n%+v", format, got, want)
	}
}

// FuzzBatch: no list of operations does harm.
func FuzzBatch(f *testing.F) {
	f.Add([]byte(`{"replicationList":[{"appName":"A","id":"i","action":"Register","instanceInfo":{"hostName":"h"}},{"action":"Cancel"}]}`))
	f.Add([]byte(`{"replicationList":{"action":"Heartbeat","lastDirtyTimestamp":1e3}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		root, err := parseJSON(raw, maxBatchNodes)
		if err != nil {
			return
		}
		for _, n := range root.all("replicationList") {
			if o := n.operation(); o.instance != nil {
				o.instance.settle()
			}
		}
	})
}
