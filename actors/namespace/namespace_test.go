package namespace

import (
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

func TestNamespace(t *testing.T) { // table: one row, one namespace, what is said of it, and what is shown then
	created := &messages.CreateNamespace{Name: "Shop", Description: "d", Quota: 7}
	made := &messages.Namespace{Id: "shop", Name: "Shop", Description: "d", Quota: 7, Type: TypeMade, CreatedAt: 9e9}
	for name, tt := range map[string]struct {
		id   string
		says []proto.Message
		err  error // of the last that was said
		show *messages.Namespace
	}{
		"nobody made it":        {"shop", nil, nil, nil},
		"made":                  {"shop", []proto.Message{created}, nil, made},
		"made twice":            {"shop", []proto.Message{created, created}, messages.Conflict, made},
		"no quota":              {"shop", []proto.Message{&messages.CreateNamespace{Name: "x"}}, nil, &messages.Namespace{Id: "shop", Name: "x", Quota: DefaultQuota, Type: TypeMade, CreatedAt: 9e9}},
		"changed":               {"shop", []proto.Message{created, &messages.UpdateNamespace{Name: "y", Description: "z"}}, nil, &messages.Namespace{Id: "shop", Name: "y", Description: "z", Quota: 7, Type: TypeMade, CreatedAt: 9e9}},
		"changed without name":  {"shop", []proto.Message{created, &messages.UpdateNamespace{}}, messages.Invalid, made},
		"changed before":        {"shop", []proto.Message{&messages.UpdateNamespace{Name: "y"}}, messages.NotFound, nil},
		"deleted":               {"shop", []proto.Message{created, &messages.DeleteNamespace{}}, nil, nil},
		"deleted twice":         {"shop", []proto.Message{created, &messages.DeleteNamespace{}, &messages.DeleteNamespace{}}, messages.NotFound, nil},
		"made again":            {"shop", []proto.Message{created, &messages.DeleteNamespace{}, created}, nil, made},
		"public is there":       {Public, nil, nil, public},
		"public is not made":    {Public, []proto.Message{created}, messages.Conflict, public},
		"public is not changed": {Public, []proto.Message{&messages.UpdateNamespace{Name: "y"}}, messages.Invalid, public},
		"public is not deleted": {Public, []proto.Message{&messages.DeleteNamespace{}}, messages.Invalid, public},
		"an id of 64":           {strings.Repeat("a", 64), []proto.Message{&messages.DeleteNamespace{}}, messages.NotFound, nil},
		"an id of 65":           {strings.Repeat("a", 65), []proto.Message{created}, messages.Invalid, nil},
		"an id with a dot":      {"a.b", []proto.Message{created}, messages.Invalid, nil},
		"a blank name":          {"shop", []proto.Message{&messages.CreateNamespace{Name: " "}}, messages.Invalid, nil},
		"a name with a sign":    {"shop", []proto.Message{&messages.CreateNamespace{Name: "a&b"}}, messages.Invalid, nil},
		"a name of 257":         {"shop", []proto.Message{&messages.CreateNamespace{Name: strings.Repeat("ü", 257)}}, messages.Invalid, nil},
		"a description of 257":  {"shop", []proto.Message{&messages.CreateNamespace{Name: "a", Description: strings.Repeat("ü", 257)}}, messages.Invalid, nil},
		"another kind's":        {"shop", []proto.Message{&messages.GetHost{}}, messages.Invalid, nil},
	} {
		k := Spec()
		st, _ := k.Open(nil, nil)
		store := map[string]bool{}
		var err error
		for _, m := range tt.says {
			var turn actors.Turn
			if turn, err = k.Step(st, actors.Input{ID: tt.id, Now: time.Unix(9, 0), Message: m}); err != nil {
				continue
			}
			st = turn.State
			for _, w := range turn.Writes {
				store[w.Key] = w.Value != nil
			}
		}
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: got %v, want %v", name, err, tt.err)
		}
		if st.Encoded() != nil { // as after a move
			st, _ = k.Open(&messages.Record{State: st.Encoded()}, nil)
		}
		turn, err := k.Step(st, actors.Input{ID: tt.id, Message: &messages.GetNamespace{}})
		switch {
		case tt.show == nil && !errors.Is(err, messages.NotFound):
			t.Errorf("%s: shown %v", name, turn.Effects)
		case tt.show != nil && (err != nil || !proto.Equal(turn.Effects[0].(actors.Reply).Message, tt.show)):
			t.Errorf("%s: got %v, %v; want %v", name, turn.Effects, err, tt.show)
		}
		if listed := store["index/namespace/"+tt.id]; listed != (tt.show != nil && tt.id != Public) {
			t.Errorf("%s: listed: %v", name, listed)
		}
	}
}

func TestID(t *testing.T) {
	if ID("") != Public || ID("x") != "x" || Ref("").ID != Public {
		t.Error(ID(""), Ref(""))
	}
}
