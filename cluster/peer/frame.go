package peer

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // the codec that everything else uses
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/messages"
)

// framesField is Frames.frames: a batch is frames, each behind this tag, and so
// frames can be marshalled one by one, by whoever sends them, and only be put
// side by side by the writer.
const framesField protowire.Number = 1

// encode marshals a frame as an element of Frames.
func encode(f *messages.Frame) ([]byte, error) {
	size := proto.Size(f)
	if size > MaxPayloadBytes {
		return nil, fmt.Errorf("a message of %d bytes: %w", size, ErrTooLarge)
	}
	buf := make([]byte, 0, size+2*protowire.SizeVarint(uint64(size)))
	buf = protowire.AppendTag(buf, framesField, protowire.BytesType)
	buf = protowire.AppendVarint(buf, uint64(size))
	buf, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(buf, f)
	if err != nil {
		return nil, fmt.Errorf("a message that cannot be marshalled (%w): %w", err, messages.Invalid)
	}
	return buf, nil
}

// mustEncode is for frames of our own making, which always marshal.
func mustEncode(f *messages.Frame) []byte {
	buf, err := encode(f)
	if err != nil {
		panic(err)
	}
	return buf
}

func beat(answer bool) []byte {
	return mustEncode(&messages.Frame{Body: &messages.Frame_Beat{Beat: &messages.Beat{Answer: answer}}})
}

func goAway(reason messages.GoAway_Reason, message string) *messages.Frame {
	return &messages.Frame{Body: &messages.Frame_GoAway{GoAway: &messages.GoAway{Reason: reason, Message: message}}}
}

// codec is gRPC's for protobuf, but that a batch goes out as it is.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2("proto")} }

// Marshal is gRPC's.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	batch, ok := v.([]item)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	out := make(mem.BufferSlice, len(batch))
	for i, it := range batch {
		out[i] = mem.SliceBuffer(it.data)
	}
	return out, nil
}
