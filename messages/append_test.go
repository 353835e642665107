package messages_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/messages"
	"github.com/troupe-cloud/troupe/messages/encode"
	"github.com/troupe-cloud/troupe/messages/encode/encodetest"
)

// TestAppendJSON: every field, filled or empty, is written as encoding/json
// writes it.
func TestAppendJSON(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, m := range []encode.Appender{
		&messages.InstanceView{}, &messages.Flavor{}, &messages.ImageRef{}, &messages.Port{}, &messages.NetworkRequest{},
		&messages.ActionRecord{}, &messages.ActionEvent{}, &messages.DomainSpec{}, &messages.DomainNIC{},
	} {
		for range 300 {
			proto.Reset(m.(proto.Message))
			encodetest.Fill(random, reflect.ValueOf(m).Elem())
			want, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := m.AppendJSON([]byte("before")); err != nil || string(got) != "before"+string(want) {
				t.Fatalf("%T: %v\ngot  %s\nwant %s", m, err, got, want)
			}
		}
	}
}

// TestCopy: a copy has every field, those that this version does not know too.
func TestCopy(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, m := range []proto.Message{&messages.InstanceView{}, &messages.ActionRecord{}, &messages.ActionEvent{}} {
		for range 100 {
			proto.Reset(m)
			encodetest.Fill(random, reflect.ValueOf(m).Elem())
			m.ProtoReflect().SetUnknown([]byte{0xf8, 0xff, 0x01, 0x01})
			if got := reflect.ValueOf(m).MethodByName("Copy").Call(nil)[0].Interface().(proto.Message); !proto.Equal(got, m) {
				t.Fatalf("got  %v\nwant %v", got, m)
			}
		}
	}
}
