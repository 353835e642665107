package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/encode/encodetest"
)

func formal(content string) *messages.PublishConfig { return &messages.PublishConfig{Content: content} }

func casFormal(content, cas string) *messages.PublishConfig {
	return &messages.PublishConfig{Content: content, CasMd5: &cas}
}

func gray(content string, r *messages.GrayRule) *messages.PublishConfig {
	return &messages.PublishConfig{Content: content, Gray: r}
}

func TestPublish(t *testing.T) { // table: one row, what was said before, what is said, and whether it is refused
	grays := []proto.Message{}
	for i := range MaxGrays {
		grays = append(grays, gray("g", Tagged(fmt.Sprint("t", i))))
	}
	labelled := func(l *messages.ConfigLabels) *messages.PublishConfig {
		return &messages.PublishConfig{Content: "c", Labels: l}
	}
	for name, tt := range map[string]struct {
		before []proto.Message
		say    proto.Message
		want   error
	}{
		"a content":                   {nil, formal("a"), nil},
		"a blank one":                 {nil, formal(" \n\t"), messages.Invalid},
		"one of 10 MiB":               {nil, formal(strings.Repeat("x", MaxContentBytes)), nil},
		"one byte more":               {nil, formal(strings.Repeat("x", MaxContentBytes+1)), messages.Invalid},
		"not UTF-8":                   {nil, formal("a\xff"), messages.Invalid},
		"only if absent":              {nil, casFormal("a", ""), nil},
		"only if absent, but there":   {[]proto.Message{formal("a")}, casFormal("b", ""), messages.Conflict},
		"the right MD5":               {[]proto.Message{formal("a")}, casFormal("b", MD5("a")), nil},
		"the wrong MD5":               {[]proto.Message{formal("a")}, casFormal("b", MD5("b")), messages.Conflict},
		"an MD5 of nothing":           {nil, casFormal("b", MD5("b")), messages.Conflict},
		"an MD5 of what is removed":   {[]proto.Message{formal("a"), &messages.RemoveConfig{}}, casFormal("b", MD5("a")), messages.Conflict},
		"if absent, of a gray one":    {[]proto.Message{formal("a")}, &messages.PublishConfig{Content: "b", CasMd5: new(string), Gray: Beta("1.2.3.4")}, nil},
		"ten gray versions":           {grays[1:], grays[0], nil},
		"eleven gray versions":        {grays, gray("g", Beta("1.2.3.4")), messages.Exhausted},
		"one of ten gray versions":    {grays, gray("h", Tagged("t3")), nil},
		"a gray version without name": {nil, gray("g", &messages.GrayRule{Type: "x", Expression: "y"}), messages.Invalid},
		"a gray version with a slash": {nil, gray("g", &messages.GrayRule{Name: "a/b", Type: "x", Expression: "y"}), messages.Invalid},
		"a rule of nobody's type":     {nil, gray("g", &messages.GrayRule{Name: "a", Type: "zone", Expression: "y"}), nil},
		"a rule without expression":   {nil, gray("g", Beta(" ")), messages.Invalid},
		"a rule of another version":   {nil, gray("g", &messages.GrayRule{Name: "a", Type: "beta", Version: "2", Expression: "y"}), messages.Invalid},
		"a tag too long":              {nil, gray("g", Tagged("12345678901234567")), messages.Invalid},
		"five tags":                   {nil, labelled(&messages.ConfigLabels{Tags: []string{"a", "b", "c", "d", "e"}}), nil},
		"six tags":                    {nil, labelled(&messages.ConfigLabels{Tags: []string{"a", "b", "c", "d", "e", "f"}}), messages.Invalid},
		"a tag with a comma":          {nil, labelled(&messages.ConfigLabels{Tags: []string{"a,b"}}), messages.Invalid},
		"an empty tag":                {nil, labelled(&messages.ConfigLabels{Tags: []string{""}}), messages.Invalid},
		"a tag of 64":                 {nil, labelled(&messages.ConfigLabels{Tags: []string{strings.Repeat("t", 64)}}), nil},
		"a tag of 65":                 {nil, labelled(&messages.ConfigLabels{Tags: []string{strings.Repeat("t", 65)}}), messages.Invalid},
		"a tag too long for a key":    {nil, labelled(&messages.ConfigLabels{Tags: []string{strings.Repeat("😀", 64)}}), messages.Invalid},
		"an app of 128":               {nil, labelled(&messages.ConfigLabels{App: strings.Repeat("a", 128)}), nil},
		"an app of 129":               {nil, labelled(&messages.ConfigLabels{App: strings.Repeat("a", 129)}), messages.Invalid},
		"an app with a blank":         {nil, labelled(&messages.ConfigLabels{App: "a b"}), messages.Invalid},
		"a description of 128":        {nil, labelled(&messages.ConfigLabels{Description: strings.Repeat("é", 128)}), nil},
		"a description of 129":        {nil, labelled(&messages.ConfigLabels{Description: strings.Repeat("é", 129)}), messages.Invalid},
		"a use of 33":                 {nil, labelled(&messages.ConfigLabels{Use: strings.Repeat("u", 33)}), messages.Invalid},
		"an effect of 33":             {nil, labelled(&messages.ConfigLabels{Effect: strings.Repeat("u", 33)}), messages.Invalid},
		"a type of 33":                {nil, labelled(&messages.ConfigLabels{Type: strings.Repeat("u", 33)}), messages.Invalid},
		"a schema of 32768":           {nil, labelled(&messages.ConfigLabels{Schema: strings.Repeat("s", 32768)}), nil},
		"a schema of 32769":           {nil, labelled(&messages.ConfigLabels{Schema: strings.Repeat("s", 32769)}), messages.Invalid},
		"a user too long":             {nil, &messages.PublishConfig{Content: "c", User: strings.Repeat("u", 256)}, messages.Invalid},
		"a data key too long":         {nil, &messages.PublishConfig{Content: "c", EncryptedDataKey: strings.Repeat("u", 1025)}, messages.Invalid},
		"removing nothing":            {nil, &messages.RemoveConfig{}, nil},
		"removing no gray version":    {[]proto.Message{formal("a")}, &messages.RemoveConfig{GrayName: "beta"}, nil},
		"labels of nothing":           {nil, &messages.UpdateConfigLabels{}, messages.NotFound},
		"labels of a gray one":        {[]proto.Message{gray("g", Beta("1"))}, &messages.UpdateConfigLabels{}, messages.NotFound},
		"nothing to get":              {nil, &messages.GetConfig{}, messages.NotFound},
		"nothing in detail":           {nil, &messages.GetConfigDetail{}, messages.NotFound},
		"no digest is one":            {nil, &messages.GetConfigDigest{}, nil},
		"a change that is not":        {[]proto.Message{formal("a")}, &messages.GetConfigChange{Number: 2}, messages.NotFound},
		"a change before all":         {[]proto.Message{formal("a")}, &messages.GetConfigChange{}, messages.NotFound},
		"a message of another kind":   {nil, &messages.GetHost{}, messages.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "", "", "a.yaml")
			for _, m := range tt.before {
				w.must(m)
			}
			if _, err := w.say(tt.say); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestNames(t *testing.T) { // table: one row, one identity that is published under
	for id, ok := range map[string]bool{
		"public@@DEFAULT_GROUP@@a":               true,
		"p@@" + strings.Repeat("g", 128) + "@@a": true,
		"p@@" + strings.Repeat("g", 129) + "@@a": false,
		"p@@g@@" + strings.Repeat("d", 256):      true,
		"p@@g@@" + strings.Repeat("d", 257):      false,
		strings.Repeat("n", 64) + "@@g@@d":       true,
		strings.Repeat("n", 65) + "@@g@@d":       false,
		"n.s@@g@@d":                              false,
		"p@@g@@a.b:c-d_e":                        true,
		"p@@g@@a/b":                              false,
		"p@@g@@a b":                              false,
		"p@@g@@":                                 false,
		"p@@@@d":                                 false,
		"@@g@@d":                                 false,
		"p@@g":                                   false,
		"":                                       false,
		"p@@g@@grün":                             false,
		"p@@g@@a@@b":                             false,
	} {
		_, err := publishAs(id)
		if (err == nil) != ok {
			t.Errorf("%q: %v", id, err)
		}
	}
	if id := ID("", "", "a"); id != "public@@DEFAULT_GROUP@@a" {
		t.Error(id)
	}
}

// publishAs publishes under an identity.
func publishAs(id string) (State, error) {
	s, _, err := Step(State{}, actors.Input{ID: id, Now: time.Unix(1, 0), Message: formal("c")})
	return s, err
}

func TestAskingStoresNothing(t *testing.T) {
	w := newWorld(t, "", "", "a")
	for _, m := range []proto.Message{
		&messages.GetConfig{}, &messages.GetConfigDigest{}, &messages.GetConfigDetail{}, &messages.RemoveConfig{},
		&messages.RemoveConfig{GrayName: "x"}, &messages.UpdateConfigLabels{}, formal(""),
	} {
		_, _ = w.say(m)
		if w.turn.Changed || len(w.store) != 0 {
			t.Errorf("%T stores %v", m, w.store)
		}
	}
}

func TestLabels(t *testing.T) {
	w := newWorld(t, "", "", "a")
	all := &messages.ConfigLabels{Type: "JSON", Tags: []string{"x", "y", "x"}, App: "shop", Description: "d", Use: "u", Effect: "e", Schema: "s"}
	w.must(&messages.PublishConfig{Content: "1", Labels: all})
	steps := []struct {
		name string
		say  proto.Message
		want Labels
	}{
		{"none said: all stay", formal("2"), Labels{"json", []string{"x", "y"}, "shop", "d", "u", "e", "s"}},
		{"said, without tags and app: those stay", &messages.PublishConfig{Content: "3", Labels: &messages.ConfigLabels{Type: "nonsense", Use: "v"}},
			Labels{Type: "text", Tags: []string{"x", "y"}, App: "shop", Use: "v"}},
		{"a gray version says nothing of them", &messages.PublishConfig{Content: "4", Gray: Beta("1"), Labels: all},
			Labels{Type: "text", Tags: []string{"x", "y"}, App: "shop", Use: "v"}},
		{"set: all are replaced", &messages.UpdateConfigLabels{Labels: &messages.ConfigLabels{Tags: []string{"z"}}},
			Labels{Type: "text", Tags: []string{"z"}}},
		{"removed: all are gone", &messages.RemoveConfig{}, Labels{}},
	}
	for _, step := range steps {
		w.must(step.say)
		if got := w.state.Value().(State).Labels; !reflect.DeepEqual(got, step.want) {
			t.Errorf("%s: got %+v, want %+v", step.name, got, step.want)
		}
	}
}

// TestWritesWhatChanged: neither labels nor the same content again write the content;
// a line of the history is one row and one entry, however many there are.
func TestWritesWhatChanged(t *testing.T) {
	w := newWorld(t, "", "", "a")
	contentKey := actors.RowKey(w.ref, contentTable, formalRow)
	written := func() (keys []string) {
		for _, x := range w.turn.Writes {
			keys = append(keys, x.Key)
		}
		return keys
	}
	w.must(formal("1"))
	if !slices.Contains(written(), contentKey) || string(w.store[contentKey]) != "1" {
		t.Errorf("%v; %q", written(), w.store[contentKey])
	}
	for range 500 {
		w.must(formal("1"))
	}
	if got := written(); len(got) != 3 || slices.Contains(got, contentKey) {
		t.Errorf("the same content again writes %v", got)
	}
	w.must(&messages.UpdateConfigLabels{Labels: &messages.ConfigLabels{App: "x"}})
	if got := written(); len(got) != 1 || got[0] != "index/"+EntryKey("", "", "a") {
		t.Errorf("labels write %v", got)
	}
	w.must(formal("2"))
	if got := written(); len(got) != 4 {
		t.Errorf("another content writes %v", got)
	}
}

func TestContentVersion(t *testing.T) { // table in order: one row, one change, and whether anybody sees another content
	w := newWorld(t, "", "", "a")
	for i, step := range []struct {
		say  proto.Message
		seen bool
	}{
		{formal("A"), true},
		{formal("A"), false},
		{&messages.PublishConfig{Content: "A", Labels: &messages.ConfigLabels{Type: "xml"}}, false},
		{formal("B"), true},
		{formal("A"), true},
		{gray("A", Beta("1")), true},
		{gray("A", Beta("1")), false},
		{gray("A", Beta("1,2")), true},
		{gray("B", Beta("1,2")), true},
		{&messages.UpdateConfigLabels{}, false},
		{&messages.RemoveConfig{}, true},
		{&messages.RemoveConfig{}, false},
		{formal("A"), true},
		{&messages.RemoveConfig{GrayName: BetaName}, true},
	} {
		before := w.must(&messages.GetConfigDigest{}).(*messages.ConfigDigest)
		w.must(step.say)
		w.move()
		after := w.must(&messages.GetConfigDigest{}).(*messages.ConfigDigest)
		if grown := after.ContentVersion > before.ContentVersion; grown != step.seen || after.ContentVersion < before.ContentVersion {
			t.Errorf("%d: %v: from %d to %d", i, step.say, before.ContentVersion, after.ContentVersion)
		}
	}
}

func TestWhoSeesWhat(t *testing.T) {
	w := newWorld(t, "", "", "a")
	w.must(formal("formal"))
	w.must(gray("beta", Beta("10.0.0.1, 10.0.0.2")))
	w.must(gray("tagged", Tagged("blue")))
	w.must(gray("zone", &messages.GrayRule{Name: "zone", Type: "zone", Version: "1", Expression: "x", Priority: 5}))
	blue := map[string]string{TagLabel: "blue"}
	for name, tt := range map[string]struct {
		ask  *messages.GetConfig
		want string // empty: NotFound
	}{
		"anybody":                  {&messages.GetConfig{}, "formal"},
		"another address":          {&messages.GetConfig{ClientIp: "10.0.0.3"}, "formal"},
		"a beta address":           {&messages.GetConfig{ClientIp: "10.0.0.1"}, "beta"},
		"the second one":           {&messages.GetConfig{ClientIp: "10.0.0.2"}, "beta"},
		"part of one":              {&messages.GetConfig{ClientIp: "10.0.0"}, "formal"},
		"a label":                  {&messages.GetConfig{ClientLabels: blue}, "tagged"},
		"another label":            {&messages.GetConfig{ClientLabels: map[string]string{TagLabel: "red"}}, "formal"},
		"both: beta first":         {&messages.GetConfig{ClientIp: "10.0.0.1", ClientLabels: blue}, "beta"},
		"a tag by name":            {&messages.GetConfig{Tag: "blue"}, "tagged"},
		"a tag, at a beta address": {&messages.GetConfig{Tag: "blue", ClientIp: "10.0.0.1"}, "tagged"},
		"a tag that is not":        {&messages.GetConfig{Tag: "red"}, ""},
		"a version by name":        {&messages.GetConfig{GrayName: "zone"}, "zone"},
		"a version that is not":    {&messages.GetConfig{GrayName: "x"}, ""},
		"the formal one":           {&messages.GetConfig{Formal: true, ClientIp: "10.0.0.1"}, "formal"},
	} {
		answer, err := w.say(tt.ask)
		if tt.want == "" {
			if !errors.Is(err, messages.NotFound) {
				t.Errorf("%s: %v, %v", name, answer, err)
			}
			continue
		}
		c, ok := answer.(*messages.ConfigContent)
		if !ok || c.Content != tt.want || c.Md5 != MD5(tt.want) {
			t.Errorf("%s: %v, %v", name, answer, err)
		}
		if tt.ask.Tag != "" || tt.ask.GrayName != "" || tt.ask.Formal {
			continue
		}
		d := w.must(&messages.GetConfigDigest{}).(*messages.ConfigDigest)
		if got := SeenMD5(d, Client{tt.ask.ClientIp, tt.ask.ClientLabels}); got != c.Md5 {
			t.Errorf("%s: the digest says %s", name, got)
		}
	}
	if SeenMD5(nil, Client{}) != "" || Sees(&messages.ConfigDigest{}, Client{}) != nil {
		t.Error("somebody sees something in nothing")
	}
}

// TestDetail: all contents, as far as they fit into one message; the others are asked
// for by name.
func TestDetail(t *testing.T) {
	w := newWorld(t, "", "", "a")
	w.must(gray("small", Tagged("t")))
	w.must(gray(strings.Repeat("x", MaxContentBytes), Beta("1")))
	d := w.must(&messages.GetConfigDetail{}).(*messages.Config)
	if d.Formal || len(d.Grays) != 2 || len(d.Grays[0].Content) != MaxContentBytes || d.Grays[1].Content != "small" {
		t.Errorf("without a formal content: %.200v", d)
	}
	w.must(&messages.PublishConfig{Content: strings.Repeat("y", MaxContentBytes), EncryptedDataKey: "k", Labels: &messages.ConfigLabels{Use: "u", Schema: "s"}})
	d = w.must(&messages.GetConfigDetail{}).(*messages.Config)
	if proto.Size(d) > MaxDetailBytes+64<<10 || d.Grays[0].Content != "" || d.Grays[0].Md5 == "" || d.EncryptedDataKey != "k" || d.Use != "u" || d.Schema != "s" {
		t.Errorf("%d bytes, %.200v", proto.Size(d), d.Grays)
	}
	if c := w.must(&messages.GetConfig{GrayName: BetaName}).(*messages.ConfigContent); len(c.Content) != MaxContentBytes {
		t.Error("asked for by name it is not whole")
	}
}

func TestAppendJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var s State
		fill(r, &s)
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.AppendJSON(nil); err != nil || string(got) != string(want) {
			t.Fatalf("%v\ngot  %s\nwant %s", err, got, want)
		}
	}
}

func fill(r *rand.Rand, s *State) {
	encodetest.Fill(r, reflect.ValueOf(&s.Labels).Elem())
	encodetest.Fill(r, reflect.ValueOf(&s.Days).Elem())
	for _, v := range []any{&s.ID, &s.Version, &s.ContentVersion, &s.First, &s.Last} {
		encodetest.Fill(r, reflect.ValueOf(v).Elem())
	}
	if r.IntN(2) > 0 {
		encodetest.Fill(r, reflect.ValueOf(&s.Formal).Elem())
	}
	for range r.IntN(3) {
		g := Gray{Rule: Beta("x")}
		encodetest.Fill(r, reflect.ValueOf(&g.Published).Elem())
		s.Grays = append(s.Grays, g)
	}
}

func TestNumber(t *testing.T) {
	for i := range 1000 {
		if n := Number("", "", fmt.Sprint(i)); n < 1 || n >= 1<<53 || n != Number("public", DefaultGroup, fmt.Sprint(i)) {
			t.Fatal(i, n)
		}
	}
	a, b := HistoryKey("", "", "a", 9), HistoryKey("", "", "a", 10)
	if b >= a || len(a) != len(b) {
		t.Errorf("%s and %s", a, b)
	}
}

func TestTypeOf(t *testing.T) {
	for s, want := range map[string]string{"": "text", "YAML": "yaml", " xml ": "xml", "unset": "unset", "ini": "text"} {
		if got := TypeOf(s); got != want {
			t.Errorf("%q is %s", s, got)
		}
	}
}
