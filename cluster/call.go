package cluster

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/remote"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// call is one message on its way to a grain of this process: the Go value
// itself, nothing is marshalled. It becomes an Envelope when it leaves.
type call struct {
	to       actors.Ref
	message  proto.Message              // nil: only activate
	request  string                     // of the outer request, for the history
	dedupe   string                     // what is delivered twice under it is done once; "": no matter
	deadline time.Time                  // zero: none
	answer   func(proto.Message, error) // nil: a tell
	patient  bool                       // who is answered is the node itself, which has time
	urgent   bool                       // somebody waits for what comes of it, elsewhere
	counted  bool                       // among the messages that wait
	hops     uint32                     // how many members have passed it on
	suspect  bool                       // a copy of it may have been done before
}

// reply answers, if anybody asked. Only the first answer counts.
func (c *call) reply(m proto.Message, err error) {
	if c.answer != nil {
		c.answer(m, err)
		c.answer = nil
	}
}

// awaited says whether somebody waits for the answer, or for what comes of c, who
// should not wait long.
func (c *call) awaited() bool { return c.urgent || c.answer != nil && !c.patient }

// query says whether it changes nothing.
func (c *call) query() bool { return c.message == nil || messages.IsQuery(c.message) }

// expired says whether nobody waits for the answer any more.
func (c *call) expired(now time.Time) bool {
	return !c.deadline.IsZero() && now.After(c.deadline)
}

// wire is an Envelope as protoactor's remote wants it.
type wire struct{ *messages.Envelope }

var (
	_ remote.RootSerializable = (*call)(nil)
	_ remote.RootSerialized   = wire{}
)

// Serialize makes the Envelope for protoactor.
func (c *call) Serialize() (remote.RootSerialized, error) {
	e, err := c.envelope()
	if err != nil {
		return nil, err
	}
	return wire{e}, nil
}

// envelope is what crosses to another process.
func (c *call) envelope() (*messages.Envelope, error) {
	payload, err := proto.Marshal(c.message)
	if err != nil {
		return nil, fmt.Errorf("%T for %v: %w", c.message, c.to, err)
	}
	e := &messages.Envelope{
		Kind: c.to.Kind, Id: c.to.ID, Method: nameOf(c.message), Payload: payload,
		RequestId: c.request, DedupeId: c.dedupe, Tell: c.answer == nil, Hops: c.hops,
		Suspect: c.suspect, Urgent: c.urgent,
	}
	if !c.deadline.IsZero() {
		e.DeadlineUnixMs = c.deadline.UnixMilli()
	}
	return e, nil
}

// Deserialize makes the call back, without anybody to answer.
func (w wire) Deserialize() (remote.RootSerializable, error) { return fromEnvelope(w.Envelope) }

// fromEnvelope reads what another process sent. A method that this one does
// not know is Invalid, and must be answered so.
func fromEnvelope(e *messages.Envelope) (*call, error) {
	m, err := decode(e.GetMethod(), e.GetPayload())
	if err != nil {
		return nil, err
	}
	c := &call{
		to: actors.Ref{Kind: e.GetKind(), ID: e.GetId()}, message: m,
		request: e.GetRequestId(), dedupe: e.GetDedupeId(), suspect: e.GetSuspect(), urgent: e.GetUrgent(),
	}
	if ms := e.GetTimeoutMs(); ms != 0 { // clocks may differ
		c.deadline = time.Now().Add(time.Duration(ms) * time.Millisecond)
	} else if ms := e.GetDeadlineUnixMs(); ms != 0 {
		c.deadline = time.UnixMilli(ms)
	}
	return c, nil
}

func toReply(m proto.Message, err error) *messages.Reply {
	if err == nil {
		var payload []byte
		if payload, err = proto.Marshal(m); err == nil {
			return &messages.Reply{Method: nameOf(m), Payload: payload}
		}
	}
	return &messages.Reply{Error: messages.KindOf(err), Message: messages.Sentence(err)}
}

func fromReply(r *messages.Reply) (proto.Message, error) {
	if err := messages.Refused(r.GetError(), r.GetMessage()); err != nil {
		return nil, err
	}
	return decode(r.GetMethod(), r.GetPayload())
}

func nameOf(m proto.Message) string { return messages.NameOf(m) }

func decode(method string, payload []byte) (proto.Message, error) {
	return messages.Decode(method, payload)
}
