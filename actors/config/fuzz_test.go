package config

import (
	"errors"
	"testing"
	"time"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// FuzzID: what can be published under can be read back, and stands in keys that no
// other key's entries begin with.
func FuzzID(f *testing.F) {
	for _, s := range [][3]string{{"public", "DEFAULT_GROUP", "a.yaml"}, {"", "", "a"}, {"n", "a:b", "c-d_e"}, {"n", "@@", "@"}, {"n", "g", "a@@b"}, {"n/..", "g", "d"}} {
		f.Add(s[0], s[1], s[2])
	}
	f.Fuzz(func(t *testing.T, ns, group, dataID string) {
		if err := CheckKey(ns, group, dataID); err != nil {
			if !errors.Is(err, messages.Invalid) {
				t.Errorf("%v is no refusal", err)
			}
			return
		}
		id := ID(ns, group, dataID)
		n, g, d, ok := Parse(id)
		if !ok || ID(n, g, d) != id || d != dataID {
			t.Errorf("%q is read as %q %q %q", id, n, g, d)
		}
		if len(actors.RecordKey(Ref(ns, group, dataID))) > 512 || len(HistoryKey(ns, group, dataID, 1)) > 1000 {
			t.Errorf("%q has keys that are too long", id)
		}
	})
}

// FuzzGrayRule: whatever is accepted can be published, stored and evaluated.
func FuzzGrayRule(f *testing.F) {
	f.Add("beta", "beta", "1.0.0", "1.2.3.4,5.6.7.8", int32(9), "1.2.3.4", "x")
	f.Add("tag_x", "tag", "1.0.0", "x", int32(8), "", "x")
	f.Add("v2", "label_expr", "1.0.0", "(a == 'x' || Vipserver-Tag != \"y\") && ClientIp == '1.1.1.1'", int32(7), "1.1.1.1", "x")
	f.Add("v3", "label_expr", "1.0.0", "((((a=='", int32(7), "", "x")
	f.Add("v1", "zone", "2", "{}", int32(-1), "::1", "")
	f.Add("", "beta", "", ",,", int32(0), ",", ",")
	f.Fuzz(func(t *testing.T, name, kind, version, expression string, priority int32, ip, tag string) {
		r := &messages.GrayRule{Name: name, Type: kind, Version: version, Expression: expression, Priority: priority}
		c := Client{IP: ip, Labels: map[string]string{TagLabel: tag}}
		matches := Matches(r, c)
		err := CheckGray(r)
		_, _, refused := Step(State{}, actors.Input{ID: ID("", "", "a"), Now: time.Unix(1, 0), Message: gray("c", r)})
		if (err == nil) != (refused == nil) || err != nil && !errors.Is(err, messages.Invalid) {
			t.Fatalf("%v, but %v", err, refused)
		}
		if err == nil && matches && kind != BetaType && kind != TagType && kind != LabelType {
			t.Errorf("%v matches", r)
		}
	})
}
