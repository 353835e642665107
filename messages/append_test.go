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
