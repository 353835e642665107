package rpc

import "sync"

// reply is a payload that is being written: its body from headroom on.
type reply struct {
	b      []byte
	framed []byte
}

const (
	replyRoom = 1 << 10  // of a new reply
	replyKeep = 64 << 10 // larger ones are not kept
)

var replies = sync.Pool{New: func() any { return &reply{b: make([]byte, headroom, replyRoom)} }}

func newReply() *reply {
	r := replies.Get().(*reply)
	r.b = r.b[:headroom]
	return r
}

// Bytes is h2.Reply's.
func (r *reply) Bytes() []byte { return r.framed }

// Free is h2.Reply's.
func (r *reply) Free() {
	if cap(r.b) <= replyKeep {
		r.framed = nil
		replies.Put(r)
	}
}
