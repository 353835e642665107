package rpc

import (
	"fmt"
	"sync"

	"google.golang.org/grpc/mem"
)

// codec moves payloads in and out of the transport as they are. It is given to the
// servers directly and registered nowhere: what other gRPC services of the process
// speak is not its concern.
type codec struct{}

// Name says that it is protobuf, for that is what clients ask for.
func (codec) Name() string { return "proto" }

// Marshal takes a *reply, which belongs to the transport then, or []byte, which
// is shared.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	switch m := v.(type) {
	case *reply:
		return mem.BufferSlice{mem.NewBuffer(&m.framed, m)}, nil
	case []byte:
		return mem.BufferSlice{mem.SliceBuffer(m)}, nil
	}
	return nil, fmt.Errorf("a %T cannot be sent", v)
}

// Unmarshal copies into a *payload, which is parsed by its user: what is wrong with
// it is answered in the dialect.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	p, ok := v.(*payload)
	if !ok {
		return fmt.Errorf("a %T cannot be received", v)
	}
	p.reset()
	for _, b := range data {
		p.raw = append(p.raw, b.ReadOnlyData()...)
	}
	return nil
}

// reply is a payload that is being written: its body from headroom on.
type reply struct {
	b      []byte
	framed []byte
}

const (
	replyRoom = 2 << 10  // of a new reply; less than 1 KiB the transport would not give back
	replyKeep = 64 << 10 // larger ones are not kept
)

var replies = sync.Pool{New: func() any { return &reply{b: make([]byte, headroom, replyRoom)} }}

func newReply() *reply {
	r := replies.Get().(*reply)
	r.b = r.b[:headroom]
	return r
}

// Get is mem.BufferPool's, and not used.
func (r *reply) Get(int) *[]byte { panic("a reply is no pool to take from") }

// Put is mem.BufferPool's: the transport has written the reply.
func (r *reply) Put(*[]byte) { r.free() }

func (r *reply) free() {
	if cap(r.b) <= replyKeep {
		r.framed = nil
		replies.Put(r)
	}
}
