package config

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

func BenchmarkPublish(b *testing.B) {
	for _, size := range []int{200, 1 << 20} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			w := newWorld(b, "", "", "a.yaml")
			contents := []string{strings.Repeat("a", size), strings.Repeat("b", size)}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				w.run(b, &messages.PublishConfig{Content: contents[i%2], User: "u", Ip: "10.0.0.1", Labels: &messages.ConfigLabels{Type: "yaml"}})
			}
		})
	}
}

// run is say without the store.
func (w *world) run(b *testing.B, m proto.Message) {
	turn, err := w.kind.Step(w.state, actors.Input{ID: w.ref.ID, Now: w.now, Message: m})
	if err != nil || len(turn.Effects) == 0 {
		b.Fatal(err)
	}
	w.state = turn.State
}

func BenchmarkGet(b *testing.B) {
	w := newWorld(b, "", "", "a.yaml")
	w.must(formal("content"))
	w.must(gray("beta", Beta("10.0.0.1")))
	for name, m := range map[string]proto.Message{"content": &messages.GetConfig{ClientIp: "10.0.0.2"}, "digest": &messages.GetConfigDigest{}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				w.run(b, m)
			}
		})
	}
}

func BenchmarkSees(b *testing.B) {
	w := newWorld(b, "", "", "a.yaml")
	w.must(gray("beta", Beta("10.0.0.1,10.0.0.2,10.0.0.3")))
	d := w.must(&messages.GetConfigDigest{}).(*messages.ConfigDigest)
	b.ReportAllocs()
	for range b.N {
		if Sees(d, Client{IP: "10.0.0.3"}) == nil {
			b.Fatal("nothing")
		}
	}
}
