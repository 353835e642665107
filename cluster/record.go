package cluster

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

const recordSchema = 1

// What a record remembers of requests. More would make every commit larger.
const (
	maxRemembered      = 16
	maxRememberedReply = 4 << 10 // bytes of one answer
	maxRememberedBytes = 8 << 10 // bytes of all of them
)

// The fields of messages.Record. Every commit writes one; putting it together
// by hand saves a sixth of what a command costs, for what is remembered is
// encoded once.
const (
	fieldSchema     protowire.Number = 1
	fieldActivation protowire.Number = 2
	fieldVersion    protowire.Number = 3
	fieldRequests   protowire.Number = 4
	fieldState      protowire.Number = 5
)

// remembered is one messages.Remembered, as bytes.
type remembered struct {
	id  string
	raw []byte
}

func newRemembered(r *messages.Remembered) remembered {
	raw, err := proto.Marshal(r)
	if err != nil { // not UTF-8: it could not be recalled either
		return remembered{}
	}
	return remembered{r.RequestId, raw}
}

func encodeRecord(activation string, version uint64, requests []remembered, state []byte) []byte {
	size := len(activation) + len(state) + 64
	for _, r := range requests {
		size += len(r.raw) + 8
	}
	b := make([]byte, 0, size)
	b = protowire.AppendTag(b, fieldSchema, protowire.VarintType)
	b = protowire.AppendVarint(b, recordSchema)
	b = protowire.AppendTag(b, fieldActivation, protowire.BytesType)
	b = protowire.AppendString(b, activation)
	b = protowire.AppendTag(b, fieldVersion, protowire.VarintType)
	b = protowire.AppendVarint(b, version)
	for _, r := range requests {
		b = protowire.AppendTag(b, fieldRequests, protowire.BytesType)
		b = protowire.AppendBytes(b, r.raw)
	}
	b = protowire.AppendTag(b, fieldState, protowire.BytesType)
	return protowire.AppendBytes(b, state)
}

// recall is the answer that was given to c before, if it was.
func (g *grain) recall(c *call) (m actors.Message, err error, ok bool) {
	if c.dedupe == "" {
		return nil, nil, false
	}
	for _, r := range g.requests {
		if r.id == c.dedupe {
			kept := &messages.Remembered{}
			if err = proto.Unmarshal(r.raw, kept); err == nil {
				m, err = fromReply(kept.Reply)
			}
			return m, err, true
		}
	}
	return nil, nil, false
}

// remember keeps the answer of a command that changed the state. One that is
// answered later, or at length, is not kept: such a message is stepped again,
// as every message may be.
func (g *grain) remember(c *call, effects []actors.Effect) {
	if c.dedupe == "" {
		return
	}
	var answer actors.Message = &messages.Done{}
	for _, e := range slices.Backward(effects) {
		switch e := e.(type) {
		case actors.Reply:
			answer = e.Message
		case actors.Defer, actors.ReadConsole:
			return
		}
	}
	reply := toReply(answer, nil)
	if len(reply.Payload) > maxRememberedReply {
		return
	}
	kept := newRemembered(&messages.Remembered{RequestId: c.dedupe, Reply: reply})
	if kept.id == "" {
		return
	}
	total, from := len(kept.raw), len(g.requests)
	for from > 0 && len(g.requests)-from < maxRemembered-1 && total+len(g.requests[from-1].raw) <= maxRememberedBytes {
		from--
		total += len(g.requests[from].raw)
	}
	all := make([]remembered, 0, len(g.requests)-from+1)
	g.requests = append(append(all, g.requests[from:]...), kept)
}
