package cluster

import (
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
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
	fieldDone       protowire.Number = 6
	fieldDim        protowire.Number = 7
)

func newRemembered(r *messages.Remembered) remembered {
	raw, err := proto.Marshal(r)
	if err != nil { // not UTF-8: it could not be recalled either
		return remembered{}
	}
	return remembered{r.RequestId, raw}
}

func encodeRecord(format uint32, activation string, version uint64, known memory, now time.Time, state []byte) []byte {
	size := len(activation) + len(state) + 8*len(known.stamps) + 64
	for _, r := range known.answers {
		size += len(r.raw) + 8
	}
	b := make([]byte, 0, size)
	b = protowire.AppendTag(b, fieldSchema, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(format))
	b = protowire.AppendTag(b, fieldActivation, protowire.BytesType)
	b = protowire.AppendString(b, activation)
	b = protowire.AppendTag(b, fieldVersion, protowire.VarintType)
	b = protowire.AppendVarint(b, version)
	for _, r := range known.answers {
		b = protowire.AppendTag(b, fieldRequests, protowire.BytesType)
		b = protowire.AppendBytes(b, r.raw)
	}
	b = protowire.AppendTag(b, fieldState, protowire.BytesType)
	b = protowire.AppendBytes(b, state)
	if len(known.stamps) > 0 {
		b = protowire.AppendTag(b, fieldDone, protowire.BytesType) // packed
		b = protowire.AppendVarint(b, uint64(8*len(known.stamps)))
		for _, s := range known.stamps {
			b = protowire.AppendFixed64(b, s.hash)
		}
	}
	if known.dim(now) {
		b = protowire.AppendTag(b, fieldDim, protowire.VarintType)
		b = protowire.AppendVarint(b, 1)
	}
	return b
}

// recall is the answer that was given to c before, if it was done before, or the
// error that says why that cannot be known.
func (g *grain) recall(c *call, now time.Time) (m actors.Message, err error, ok bool) {
	if c.dedupe == "" {
		return nil, nil, false
	}
	raw, found := g.known.answer(c.dedupe)
	switch {
	case !found && c.suspect && g.known.dim(now):
		return nil, errDim, true
	case !found:
		return nil, nil, false
	case raw == nil:
		return nil, errDone, true
	}
	kept := &messages.Remembered{}
	if err = proto.Unmarshal(raw, kept); err == nil {
		m, err = fromReply(kept.Reply)
	}
	return m, err, true
}

// remember notes a command that was done, and its answer if that is short. One that
// is answered later is not noted: such a message is stepped again, as every message
// may be.
func (g *grain) remember(c *call, effects []actors.Effect, now time.Time) {
	if c.dedupe == "" {
		return
	}
	var answer actors.Message = &messages.Done{}
	for _, e := range slices.Backward(effects) {
		switch e := e.(type) {
		case actors.Reply:
			answer = e.Message
		case actors.Defer, actors.ReadConsole, actors.ReadCold:
			return
		}
	}
	var kept remembered
	if reply := toReply(answer, nil); len(reply.Payload) <= maxRememberedReply {
		kept = newRemembered(&messages.Remembered{RequestId: c.dedupe, Reply: reply})
	}
	g.known = g.known.done(c.dedupe, kept, now)
}
