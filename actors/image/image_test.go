package image

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

var now = time.Unix(1_700_000_000, 0)

const (
	owner, other = "owner", "other"
	operator     = ""
	sum          = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
)

// history steps s through what comes; the first refusal ends it.
func history(s State, what ...proto.Message) (State, []actors.Effect, error) {
	var effects []actors.Effect
	var err error
	for _, m := range what {
		var next State
		if next, effects, err = Step(s, actors.Input{ID: "i", Now: now, Message: m}); err != nil {
			return s, nil, err
		}
		s = next
	}
	return s, effects, nil
}

func made(visibility string) proto.Message {
	return &messages.CreateImage{Image: &messages.ImageView{
		Name: "cirros", ProjectId: owner, Visibility: visibility, DiskFormat: "qcow2", ContainerFormat: "bare",
		Tags: []string{"b", "a", "b"}, Properties: map[string]string{"os": "linux"},
	}}
}

func done() proto.Message {
	return &messages.ImageUploaded{Token: "t", Sha256: sum, SizeBytes: 5, VirtualBytes: 512}
}

func TestStep(t *testing.T) {
	protect := &messages.UpdateImage{Protected: proto.Bool(true)}
	member := &messages.AddImageMember{Scope: owner, ProjectId: other}
	for name, tt := range map[string]struct {
		what []proto.Message
		want error
	}{
		"nothing there":                  {[]proto.Message{&messages.GetImage{}}, messages.NotFound},
		"created twice":                  {[]proto.Message{made(Private), made(Private)}, messages.Conflict},
		"created again after deletion":   {[]proto.Message{made(Private), &messages.DeleteImage{}, made(Private)}, messages.Conflict},
		"deleted is not found":           {[]proto.Message{made(Private), &messages.DeleteImage{}, &messages.GetImage{}}, messages.NotFound},
		"public by a user":               {[]proto.Message{&messages.CreateImage{Scope: owner, Image: &messages.ImageView{Visibility: Public}}}, messages.Denied},
		"made public by a user":          {[]proto.Message{made(Private), &messages.UpdateImage{Scope: owner, Visibility: proto.String(Public)}}, messages.Denied},
		"made public by an operator":     {[]proto.Message{made(Private), &messages.UpdateImage{Visibility: proto.String(Public)}}, nil},
		"someone's private image":        {[]proto.Message{made(Private), &messages.GetImage{Scope: other}}, messages.NotFound},
		"changing a private image":       {[]proto.Message{made(Private), &messages.UpdateImage{Scope: other}}, messages.NotFound},
		"someone's public image":         {[]proto.Message{made(Public), &messages.GetImage{Scope: other}}, nil},
		"changing a public image":        {[]proto.Message{made(Public), &messages.UpdateImage{Scope: other}}, messages.Denied},
		"deleting a public image":        {[]proto.Message{made(Public), &messages.DeleteImage{Scope: other}}, messages.Denied},
		"shared with others":             {[]proto.Message{made(Shared), &messages.GetImage{Scope: other}}, messages.NotFound},
		"shared with me":                 {[]proto.Message{made(Shared), member, &messages.GetImage{Scope: other}}, nil},
		"protected":                      {[]proto.Message{made(Private), protect, &messages.DeleteImage{Scope: owner}}, messages.Denied},
		"unknown visibility":             {[]proto.Message{made("secret")}, messages.Invalid},
		"name too long":                  {[]proto.Message{made(Private), &messages.UpdateImage{Name: proto.String(strings.Repeat("é", 256))}}, messages.Invalid},
		"name not text":                  {[]proto.Message{made(Private), &messages.UpdateImage{Name: proto.String("\xff")}}, messages.Invalid},
		"removing an absent tag":         {[]proto.Message{made(Private), &messages.UpdateImage{RemoveTags: []string{"z"}}}, messages.NotFound},
		"negative min_disk":              {[]proto.Message{made(Private), &messages.UpdateImage{MinDiskGib: proto.Int64(-1)}}, messages.Invalid},
		"huge property":                  {[]proto.Message{made(Private), &messages.UpdateImage{SetProperties: map[string]string{"k": strings.Repeat("x", MaxPropertyBytes)}}}, messages.Exhausted},
		"upload":                         {[]proto.Message{made(Private), begun("t"), done()}, nil},
		"upload without formats":         {[]proto.Message{&messages.CreateImage{Image: &messages.ImageView{ProjectId: owner}}, begun("t")}, messages.Invalid},
		"two uploads at once":            {[]proto.Message{made(Private), begun("t"), begun("u")}, messages.Conflict},
		"an upload prolonged":            {[]proto.Message{made(Private), begun("t"), begun("t")}, nil},
		"another's end":                  {[]proto.Message{made(Private), begun("u"), &messages.EndImageUpload{Token: "t"}, begun("t")}, messages.Conflict},
		"upload after a failed one":      {[]proto.Message{made(Private), begun("u"), &messages.EndImageUpload{Token: "u"}, begun("t"), done()}, nil},
		"upload overtaken":               {[]proto.Message{made(Private), begun("u"), done()}, messages.Conflict},
		"upload told twice":              {[]proto.Message{made(Private), begun("t"), done(), done()}, nil},
		"second upload":                  {[]proto.Message{made(Private), begun("t"), done(), begun("t")}, messages.Conflict},
		"empty upload":                   {[]proto.Message{made(Private), begun("t"), &messages.ImageUploaded{Token: "t"}}, messages.Invalid},
		"upload to a deleted image":      {[]proto.Message{made(Private), begun("t"), &messages.DeleteImage{}, done()}, messages.NotFound},
		"format changed with data":       {[]proto.Message{made(Private), done(), &messages.UpdateImage{DiskFormat: proto.String("raw")}}, messages.Denied},
		"format changed in an upload":    {[]proto.Message{made(Private), begun("t"), &messages.UpdateImage{DiskFormat: proto.String("raw")}}, messages.Denied},
		"format changed while queued":    {[]proto.Message{made(Private), &messages.UpdateImage{DiskFormat: proto.String("raw")}}, nil},
		"deactivated while queued":       {[]proto.Message{made(Private), &messages.SetImageActive{}}, messages.Denied},
		"deactivated and back":           {[]proto.Message{made(Private), done(), &messages.SetImageActive{}, &messages.SetImageActive{}, &messages.SetImageActive{Active: true}}, nil},
		"member of a private image":      {[]proto.Message{made(Private), member}, messages.Denied},
		"member twice":                   {[]proto.Message{made(Shared), member, member}, messages.Conflict},
		"member accepts":                 {[]proto.Message{made(Shared), member, decided(other, Accepted)}, nil},
		"owner accepts for the member":   {[]proto.Message{made(Shared), member, decided(owner, Accepted)}, messages.Denied},
		"member decides nonsense":        {[]proto.Message{made(Shared), member, decided(other, "maybe")}, messages.Invalid},
		"member leaves by itself":        {[]proto.Message{made(Shared), member, &messages.RemoveImageMember{Scope: other, ProjectId: other}}, messages.Denied},
		"removing whoever is no member":  {[]proto.Message{made(Shared), &messages.RemoveImageMember{Scope: owner, ProjectId: other}}, messages.NotFound},
		"a message for somebody else":    {[]proto.Message{made(Shared), &messages.GetNetwork{}}, messages.Invalid},
		"activation of nothing is quiet": {[]proto.Message{&messages.Activated{}, &messages.Nudged{}}, nil},
	} {
		if _, _, err := history(State{}, tt.what...); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
}

func begun(token string) proto.Message {
	return &messages.BeginImageUpload{Scope: owner, Token: token}
}

func decided(scope, status string) proto.Message {
	return &messages.UpdateImageMember{Scope: scope, ProjectId: other, Status: status}
}

func TestUploadEndsByItself(t *testing.T) {
	s, _, err := history(State{}, made(Private), begun("t"))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.view(now).Status; got != messages.ImageStatus_IMAGE_STATUS_SAVING {
		t.Errorf("while it lasts: %v", got)
	}
	later := now.Add(UploadLease)
	if got := s.view(later).Status; got != messages.ImageStatus_IMAGE_STATUS_QUEUED {
		t.Errorf("after the lease: %v", got)
	}
	in := actors.Input{ID: "i", Now: later, Message: begun("u")}
	if _, _, err := Step(s, in); err != nil {
		t.Errorf("the next upload: %v", err)
	}
}

func TestUploadIsNotSaved(t *testing.T) {
	k := Spec()
	empty, err := k.Open(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	first, err := k.Step(empty, actors.Input{ID: "i", Now: now, Message: made(Private)})
	if err != nil || !first.Changed {
		t.Fatal(first, err)
	}
	second, err := k.Step(first.State, actors.Input{ID: "i", Now: now, Message: begun("t")})
	if err != nil || second.Changed {
		t.Errorf("beginning an upload wrote %v, %v", second.Writes, err)
	}
	third, err := k.Step(second.State, actors.Input{ID: "i", Now: now, Message: begun("u")})
	if !errors.Is(err, messages.Conflict) {
		t.Errorf("the upload was forgotten: %v, %v", third, err)
	}
}

func TestDeleteDiscardsTheContent(t *testing.T) {
	s, effects, err := history(State{}, made(Private), done(), &messages.DeleteImage{Scope: owner})
	if err != nil || len(effects) != 1 || effects[0] != (actors.Discard{SHA256: sum}) {
		t.Errorf("got %v, %v", effects, err)
	}
	if len(index(s)) != 0 {
		t.Errorf("a deleted image is listed: %v", index(s))
	}
}

func TestIndex(t *testing.T) {
	end := Newest(now.UnixNano(), "i")
	member := &messages.AddImageMember{Scope: owner, ProjectId: other}
	for name, tt := range map[string]struct {
		what []proto.Message
		want []string
	}{
		"private":   {[]proto.Message{made(Private)}, nil},
		"public":    {[]proto.Message{made(Public)}, []string{IndexPublic + end}},
		"community": {[]proto.Message{made(Community)}, []string{IndexCommunity + end}},
		"shared":    {[]proto.Message{made(Shared), member}, []string{IndexMember(other, Pending) + end}},
		"accepted":  {[]proto.Message{made(Shared), member, decided(other, Accepted)}, []string{IndexMember(other, Accepted) + end}},
		"with data": {[]proto.Message{made(Private), done()}, []string{IndexContent(sum) + "i"}},
	} {
		s, _, err := history(State{}, tt.what...)
		if err != nil {
			t.Fatal(name, err)
		}
		got := map[string][]byte{}
		for _, e := range index(s) {
			got[e.Key] = e.Value
		}
		want := append(tt.want, IndexAll+end, IndexProject(owner)+end)
		slices.Sort(want)
		if keys := slices.Sorted(maps.Keys(got)); !slices.Equal(keys, want) {
			t.Errorf("%s: got %v, want %v", name, keys, want)
		}
		var v messages.ImageView
		if err := proto.Unmarshal(got[IndexAll+end], &v); err != nil || v.Id != "i" || len(v.Members) != 0 {
			t.Errorf("%s: %v, %v", name, &v, err)
		}
	}
	if Newest(2, "a") >= Newest(1, "a") {
		t.Error("the newest is not the first")
	}
}

func TestTagsAndProperties(t *testing.T) {
	s, _, err := history(State{}, made(Private), &messages.UpdateImage{
		AddTags: []string{"c"}, RemoveTags: []string{"a"},
		SetProperties: map[string]string{"x": "1"}, RemoveProperties: []string{"os"},
	})
	if err != nil || !slices.Equal(s.Tags, []string{"b", "c"}) || !maps.Equal(s.Properties, map[string]string{"x": "1"}) {
		t.Errorf("got %v, %v, %v", s.Tags, s.Properties, err)
	}
}
