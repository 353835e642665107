package wire_test

import (
	"encoding/json"
	"errors"
	"maps"
	"testing"

	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/messages"
)

func TestScanner(t *testing.T) {
	for name, tt := range map[string]struct {
		in   string
		text string
		n    int64
		f    float64
		flag bool
		m    map[string]string
		bad  bool
	}{
		"all kinds":              {in: `{"text":"a","n":7,"f":0.5,"flag":true,"m":{"k":"v"}}`, text: "a", n: 7, f: 0.5, flag: true, m: map[string]string{"k": "v"}},
		"nothing said":           {in: `{}`},
		"null is absent":         {in: `{"text":null,"n":null,"f":null,"flag":null,"m":null}`},
		"in quotes":              {in: `{"n":"12","f":"1.5","flag":"true"}`, n: 12, f: 1.5, flag: true},
		"bare text":              {in: `{"text":12,"m":{"a":1,"b":true}}`, text: "12", m: map[string]string{"a": "1", "b": "true"}},
		"blanks":                 {in: " { \"text\" :\t\"a\" , \"n\" : 1 }\r\n", text: "a", n: 1},
		"escapes":                {in: `{"text":"\"\\\/\b\f\n\r\té\ud83d\ude00"}`, text: "\"\\/\b\f\n\r\té😀"},
		"half a pair":            {in: `{"text":"\ud83dx"}`, text: "\ufffdx"},
		"escaped name":           {in: `{"\u0074ext":"a"}`, text: "a"},
		"fields nobody wants":    {in: `{"x":{"y":[1,{"z":null}],"n":3},"text":"a","w":[]}`, text: "a"},
		"too large a number":     {in: `{"n":99999999999999999999}`, n: 1000},
		"a number with a point":  {in: `{"n":7.0}`, n: 7},
		"nothing":                {in: ``, bad: true},
		"an array":               {in: `[]`, bad: true},
		"broken off":             {in: `{"text":"a`, bad: true},
		"broken off in escape":   {in: `{"text":"\`, bad: true},
		"no colon":               {in: `{"text" "a"}`, bad: true},
		"no comma":               {in: `{"text":"a" "n":1}`, bad: true},
		"comma first":            {in: `{,"n":1}`, bad: true},
		"comma last":             {in: `{"n":1,}`, bad: true},
		"two commas":             {in: `{"n":1,,"f":1}`, bad: true},
		"more behind it":         {in: `{} {}`, bad: true},
		"a number that is none":  {in: `{"n":"seven"}`, bad: true},
		"octal":                  {in: `{"n":007}`, bad: true},
		"a word that is none":    {in: `{"x":nul}`, bad: true},
		"control character":      {in: "{\"text\":\"a\nb\"}", bad: true},
		"not UTF-8":              {in: "{\"text\":\"\xff\"}", bad: true},
		"not UTF-8 with escapes": {in: "{\"text\":\"\\n\xff\"}", bad: true},
	} {
		got := flat(tt.in)
		if (got.err != nil) != tt.bad || tt.bad && !errors.Is(got.err, messages.Invalid) {
			t.Errorf("%s: got error %v, want one: %v", name, got.err, tt.bad)
		}
		if tt.bad {
			continue
		}
		if got.text != tt.text || got.n != tt.n || got.f != tt.f || got.flag != tt.flag || !maps.Equal(got.m, tt.m) {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

type read struct {
	text string
	n    int64
	f    float64
	flag bool
	m    map[string]string
	err  error
}

func flat(in string) (r read) {
	s := wire.Scan([]byte(in))
	for s.Object(); ; {
		key, ok := s.Field()
		if !ok {
			break
		}
		switch string(key) {
		case "text":
			r.text = s.Text()
		case "n":
			r.n = s.Int(1000)
		case "f":
			r.f = s.Float(0)
		case "flag":
			r.flag = s.Bool(false)
		case "m":
			r.m = s.TextMap()
		default:
			s.Skip()
		}
	}
	r.err = s.End()
	return r
}

// FuzzScanner: what encoding/json refuses is refused, and text is read as it
// reads it.
func FuzzScanner(f *testing.F) {
	for _, seed := range []string{`{}`, `{"text":"a\n\u0041","x":[1,2,{"a":null}]}`, `{"text":"\ud83d\ude00","n":1}`, `{"x":1e5}`, `[`, `{"a":"\`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		s := wire.Scan(in)
		var text string
		var said bool
		for s.Object(); ; {
			key, ok := s.Field()
			if !ok {
				break
			}
			if string(key) == "text" {
				text, said = s.Text(), true
			} else {
				s.Skip()
			}
		}
		if s.End() != nil {
			return
		}
		var want map[string]any
		if err := json.Unmarshal(in, &want); err != nil {
			t.Fatalf("%q was accepted: %v", in, err)
		}
		if w, is := want["text"].(string); said && is && w != text {
			t.Fatalf("%q: got %q, want %q", in, text, w)
		}
	})
}

func FuzzInstance(f *testing.F) {
	f.Add([]byte(`{"ip":"10.0.0.1","port":80,"weight":1.0,"healthy":true,"enabled":true,"ephemeral":true,"clusterName":"A","metadata":{"k":"v"}}`))
	f.Fuzz(func(_ *testing.T, in []byte) { wire.Scan(in).Instance() })
}

func FuzzAppendText(f *testing.F) {
	f.Add("a\"\\\n\x00é😀\xff<>&")
	f.Fuzz(func(t *testing.T, in string) {
		var got string
		if err := json.Unmarshal(wire.AppendText(nil, in), &got); err != nil {
			t.Fatal(err)
		}
		if want := string([]rune(in)); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}
