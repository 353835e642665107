package flavor

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

func small() *messages.Flavor {
	return &messages.Flavor{Name: "small", Vcpus: 1, RamMib: 64, Access: []string{"p2", "p1"}}
}

// drive gives a fresh flavor "f" the messages in turn and returns the last answer.
func drive(t *testing.T, ms ...proto.Message) (*messages.Flavor, error) {
	t.Helper()
	k := Spec()
	st, err := k.Open(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var answer *messages.Flavor
	for _, m := range ms {
		turn, err := k.Step(st, actors.Input{ID: "f", Message: m})
		if err != nil {
			return nil, err
		}
		st, answer = turn.State, nil
		for _, e := range turn.Effects {
			if r, ok := e.(actors.Reply); ok {
				answer = r.Message.(*messages.Flavor)
			}
		}
	}
	return answer, nil
}

func TestFlavor(t *testing.T) {
	made := &messages.CreateFlavor{Flavor: small()}
	public := &messages.CreateFlavor{Flavor: &messages.Flavor{Name: "all", Vcpus: 1, RamMib: 1, Public: true}}
	for name, tt := range map[string]struct {
		messages []proto.Message
		want     error
	}{
		"an unknown one is not found":        {[]proto.Message{&messages.GetFlavor{}}, messages.NotFound},
		"made once":                          {[]proto.Message{made, made}, messages.Conflict},
		"made again after it was deleted":    {[]proto.Message{made, &messages.DeleteFlavor{}, made}, nil},
		"gone when deleted":                  {[]proto.Message{made, &messages.DeleteFlavor{}, &messages.GetFlavor{}}, messages.NotFound},
		"no size, no flavor":                 {[]proto.Message{&messages.CreateFlavor{Flavor: &messages.Flavor{Name: "x"}}}, messages.Invalid},
		"a private one is hidden":            {[]proto.Message{made, &messages.GetFlavor{Scope: "p3"}}, messages.NotFound},
		"a private one is seen with access":  {[]proto.Message{made, &messages.GetFlavor{Scope: "p1"}}, nil},
		"an operator sees a private one":     {[]proto.Message{made, &messages.GetFlavor{}}, nil},
		"everybody sees a public one":        {[]proto.Message{public, &messages.GetFlavor{Scope: "p9"}}, nil},
		"access is given once":               {[]proto.Message{made, &messages.SetFlavorAccess{ProjectId: "p1"}}, messages.Conflict},
		"access is taken once":               {[]proto.Message{made, &messages.SetFlavorAccess{ProjectId: "p9", Remove: true}}, messages.NotFound},
		"access taken away hides it":         {[]proto.Message{made, &messages.SetFlavorAccess{ProjectId: "p1", Remove: true}, &messages.GetFlavor{Scope: "p1"}}, messages.NotFound},
		"access given shows it":              {[]proto.Message{made, &messages.SetFlavorAccess{ProjectId: "p3"}, &messages.GetFlavor{Scope: "p3"}}, nil},
		"an absent extra spec stays absent":  {[]proto.Message{made, &messages.SetExtraSpecs{Remove: []string{"a"}}}, messages.NotFound},
		"a strange message is refused":       {[]proto.Message{made, &messages.GetHost{}}, messages.Invalid},
		"description of none":                {[]proto.Message{&messages.UpdateFlavor{Description: proto.String("d")}}, messages.NotFound},
		"a description, extra specs on, off": {[]proto.Message{made, &messages.UpdateFlavor{Description: proto.String("d")}, &messages.SetExtraSpecs{Set: map[string]string{"a": "b"}}, &messages.SetExtraSpecs{Remove: []string{"a"}}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := drive(t, tt.messages...); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestExtraSpecsAreMerged(t *testing.T) {
	f, err := drive(t, &messages.CreateFlavor{Flavor: small()},
		&messages.SetExtraSpecs{Set: map[string]string{"a": "1", "b": "2"}},
		&messages.SetExtraSpecs{Set: map[string]string{"b": "3"}, Remove: []string{"a"}},
		&messages.GetFlavor{})
	if err != nil || len(f.ExtraSpecs) != 1 || f.ExtraSpecs["b"] != "3" {
		t.Errorf("got %v, %v", f.GetExtraSpecs(), err)
	}
}

func TestIndex(t *testing.T) {
	if got := index(State{}); got != nil {
		t.Errorf("a flavor that is none has entries: %v", got)
	}
	s := State{ID: "a/b", Name: "n", ExtraSpecs: map[string]string{"x": "1", "y": "2", "z": "3"}}
	first := index(s)
	if first[0].Key != "flavor/a%2Fb" {
		t.Errorf("key is %q", first[0].Key)
	}
	for range 20 { // maps must not make the bytes differ
		if string(index(s)[0].Value) != string(first[0].Value) {
			t.Fatal("the same flavor is encoded in two ways")
		}
	}
}

func TestDefaultsCanBeMade(t *testing.T) {
	for _, f := range Defaults() {
		if _, err := drive(t, &messages.CreateFlavor{Flavor: f}); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}
