package peer

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/messages"
)

func sized(n int) item { return item{data: make([]byte, n)} }

// TestOutbox: what goes out together, in which order, and when there is no room.
func TestOutbox(t *testing.T) {
	for name, tt := range map[string]struct {
		calls, urgent []item
		want          []int // sizes of the first batch
	}{
		"nothing":                 {nil, nil, nil},
		"all that waits":          {[]item{sized(1), sized(2)}, nil, []int{1, 2}},
		"pings first":             {[]item{sized(1)}, []item{sized(9), sized(8)}, []int{9, 8, 1}},
		"up to the batch's size":  {[]item{sized(batchBytes - 1), sized(1), sized(2)}, nil, []int{batchBytes - 1, 1}},
		"a large one alone":       {[]item{sized(2 * batchBytes), sized(1)}, nil, []int{2 * batchBytes}},
		"a ping before the large": {[]item{sized(2 * batchBytes)}, []item{sized(1)}, []int{1}},
		"not what has ended":      {[]item{{data: []byte{1}, call: &call{ended: true}}, sized(2)}, nil, []int{2}},
	} {
		var o outbox
		for _, it := range tt.calls {
			o.put(it)
		}
		for _, it := range tt.urgent {
			o.putUrgent(it)
		}
		batch := o.take(nil)
		if len(batch) != len(tt.want) {
			t.Errorf("%s: %d frames", name, len(batch))
			continue
		}
		for i, it := range batch {
			if len(it.data) != tt.want[i] {
				t.Errorf("%s: number %d has %d bytes", name, i, len(it.data))
			}
		}
		for o.len() > 0 {
			o.take(nil)
		}
		if o.bytes != 0 {
			t.Errorf("%s: %d bytes are left of nothing", name, o.bytes)
		}
	}
}

func TestOutboxLimits(t *testing.T) {
	var o outbox
	for range maxQueuedFrames {
		if !o.put(item{}) {
			t.Fatal("no room")
		}
	}
	if o.put(item{}) {
		t.Error("room for ever more frames")
	}
	o = outbox{}
	if !o.put(sized(maxQueuedBytes+1)) || o.put(sized(1)) {
		t.Error("bytes are not counted")
	}
	for range maxUrgentFrames {
		o.putUrgent(sized(1))
	}
	if o.putUrgent(sized(1)) {
		t.Error("room for ever more pings")
	}
}

// TestBatch: frames marshalled one by one and put side by side are Frames.
func TestBatch(t *testing.T) {
	want := &messages.Frames{Frames: []*messages.Frame{
		{Id: 1, Body: &messages.Frame_Call{Call: &messages.Envelope{Kind: "k", Payload: make([]byte, 300)}}},
		{},
		{Id: 3, Body: &messages.Frame_Beat{Beat: &messages.Beat{Answer: true}}},
	}}
	var batch []item
	for _, f := range want.GetFrames() {
		data, err := encode(f)
		if err != nil {
			t.Fatal(err)
		}
		batch = append(batch, item{data: data})
	}
	out, err := newCodec().Marshal(batch)
	if err != nil {
		t.Fatal(err)
	}
	got := &messages.Frames{}
	if err := proto.Unmarshal(out.Materialize(), got); err != nil || !proto.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
}
