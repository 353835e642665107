package peer_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// FuzzReceive: no bytes of a peer bring its reader down, on either side.
func FuzzReceive(f *testing.F) {
	for _, frames := range [][]*messages.Frame{
		nil,
		{{}},
		{{Id: 1, Body: &messages.Frame_Call{Call: ask("x")}}, {Id: 2, Body: &messages.Frame_Call{Call: &messages.Envelope{Tell: true}}}},
		{{Id: 1, Body: &messages.Frame_Answer{Answer: &messages.Reply{}}}, {Id: 2, Body: &messages.Frame_Pong{Pong: &messages.Pong{}}}},
		{{Id: 2, Body: &messages.Frame_Answer{}}, {Id: 1, Body: &messages.Frame_Pong{}}},
		{{Id: 3, Body: &messages.Frame_Ping{Ping: &messages.Ping{AskFor: "b"}}}, {Body: &messages.Frame_Ping{}}},
		{{Body: &messages.Frame_Notice{Notice: &messages.Notice{Topic: "watch"}}}},
		{{Body: &messages.Frame_GoAway{GoAway: &messages.GoAway{Reason: 99}}}, {Id: 1, Body: &messages.Frame_Answer{}}},
		{{Body: &messages.Frame_Beat{Beat: &messages.Beat{}}}, {Body: &messages.Frame_Hello{}}},
	} {
		raw, err := proto.Marshal(&messages.Frames{Frames: frames})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	self := view.Member{ID: "a-1", Name: "a"}
	f.Fuzz(func(t *testing.T, raw []byte) {
		_ = peer.Receive(raw, self, &handler{})
	})
}
