package wire_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/gateway/nacos/wire"
	"github.com/troupe-cloud/troupe/messages"
)

func TestFinishUpdate(t *testing.T) { // table: one row, an update of metadata, and the times that it changes
	beat, timeout := wire.MetaBeatInterval, wire.MetaBeatTimeout
	for name, tt := range map[string]struct{ m, want *messages.UpdateEndpoints }{
		"nothing": {&messages.UpdateEndpoints{}, &messages.UpdateEndpoints{}},
		"others":  {&messages.UpdateEndpoints{SetMetadata: map[string]string{"a": "1"}}, &messages.UpdateEndpoints{}},
		"one": {
			&messages.UpdateEndpoints{SetMetadata: map[string]string{beat: "1000"}},
			&messages.UpdateEndpoints{BeatIntervalMs: proto.Int64(1000)},
		},
		"removed": {
			&messages.UpdateEndpoints{RemoveMetadata: []string{timeout}},
			&messages.UpdateEndpoints{BeatTimeoutMs: proto.Int64(0)},
		},
		"replaced": {
			&messages.UpdateEndpoints{ReplaceMetadata: true, SetMetadata: map[string]string{timeout: "x", beat: " 7 "}},
			&messages.UpdateEndpoints{BeatIntervalMs: proto.Int64(7), BeatTimeoutMs: proto.Int64(0), DeleteTimeoutMs: proto.Int64(0)},
		},
	} {
		tt.want.SetMetadata, tt.want.RemoveMetadata, tt.want.ReplaceMetadata = tt.m.SetMetadata, tt.m.RemoveMetadata, tt.m.ReplaceMetadata
		if wire.FinishUpdate(tt.m); !proto.Equal(tt.m, tt.want) {
			t.Errorf("%s: got %v, want %v", name, tt.m, tt.want)
		}
	}
}
