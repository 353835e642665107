package cluster

import (
	"math"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

func TestEncodeRecord(t *testing.T) {
	want := &messages.Record{Schema: actors.Format, Activation: "abc-1", Version: 300, State: []byte(`{"A":1}`), Done: []uint64{1, math.MaxUint64}, Dim: true, Requests: []*messages.Remembered{
		{RequestId: "one", Reply: toReply(&messages.Done{}, nil)},
		{RequestId: "two", Reply: toReply(&messages.HostFacts{Name: strings.Repeat("x", 200)}, nil)},
	}}
	now := time.Now()
	known := memory{answers: []remembered{newRemembered(want.Requests[0]), newRemembered(want.Requests[1])}, dimmed: now}
	for _, hash := range want.Done {
		known.stamps = append(known.stamps, stamp{hash: hash})
	}
	raw := encodeRecord(want.Schema, want.Activation, want.Version, known, now, want.State)
	got := &messages.Record{}
	if err := proto.Unmarshal(raw, got); err != nil || !proto.Equal(got, want) || len(got.ProtoReflect().GetUnknown()) > 0 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestRemember(t *testing.T) {
	remember := func(g *grain, id string, size int, more ...actors.Effect) {
		g.remember(&call{dedupe: id}, append(more, actors.Reply{Message: &messages.ConsoleView{Output: make([]byte, size)}}), time.Now())
	}
	for name, tt := range map[string]struct {
		do    func(*grain)
		first string
		count int
	}{
		"the last sixteen": {func(g *grain) {
			for i := range 20 {
				remember(g, string(rune('a'+i)), 1)
			}
		}, "e", 16},
		"not more bytes than the limit": {func(g *grain) {
			for i := range 5 {
				remember(g, string(rune('a'+i)), 3000)
			}
		}, "d", 2},
		"no long answer":    {func(g *grain) { remember(g, "a", maxRememberedReply+1) }, "", 0},
		"no deferred one":   {func(g *grain) { remember(g, "a", 1, actors.Defer{Key: "k"}) }, "", 0},
		"none without id":   {func(g *grain) { remember(g, "", 1) }, "", 0},
		"none with bad id":  {func(g *grain) { remember(g, "\xff", 1) }, "", 0},
		"one, and as asked": {func(g *grain) { remember(g, "a", 1) }, "a", 1},
	} {
		g := &grain{}
		tt.do(g)
		if len(g.known.answers) != tt.count || tt.count > 0 && g.known.answers[0].id != tt.first {
			t.Errorf("%s: kept %d", name, len(g.known.answers))
		}
		if tt.count > 0 {
			if m, err, ok := g.recall(&call{dedupe: tt.first}, time.Now()); err != nil || !ok || m.(*messages.ConsoleView).Output == nil {
				t.Errorf("%s: recalled %v %v %v", name, m, err, ok)
			}
		}
	}
}
