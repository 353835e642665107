package cluster

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/messages"
)

// cloudKind is no kind of grain: whichever node a client speaks to answers, with
// its Front.
const cloudKind = "cloud"

// maxFronted is how many questions and orders of clients a node's Front works on
// at once.
const maxFronted = 256

// maxRequestID is how long a client's request id may be, in bytes: it is kept in
// histories.
const maxRequestID = 128

// Front answers what programs with a client's certificate ask of the cloud as a
// whole: what no one grain knows. It may ask grains, and take until ctx ends.
type Front interface {
	Answer(ctx context.Context, m proto.Message) (proto.Message, error)
}

var errBusy = &movedError{why: "this node works on too much for clients already"}

// ServeClients has f answer clients. Before it is called they are told to come
// again; it is called once.
func (n *Node) ServeClients(f Front) { n.front.Store(&f) }

// vetted is e if a client may send it, held to what its certificate confines it
// to; of nodes it is e.
func vetted(from peer.Identity, e *messages.Envelope) (*messages.Envelope, error) {
	if from.Role != peer.RoleClient {
		return e, nil
	}
	name := protoreflect.FullName(e.GetMethod())
	switch who := messages.AudienceOf(name); {
	case len(e.GetRequestId()) > maxRequestID || len(e.GetDedupeId()) > 2*maxRequestID:
		return nil, fmt.Errorf("a request id may have %d bytes: %w", maxRequestID, messages.Invalid)
	case who == messages.Nobody:
		return nil, fmt.Errorf("%.80q is not for clients to send: %w", name, messages.Denied)
	case who == messages.Operators && from.Project != "":
		return nil, fmt.Errorf("the certificate of %s is of a project, and only operators may send %s: %w", from.Name, name, messages.Denied)
	}
	if from.Project == "" && !from.Reader {
		return e, nil
	}
	m, err := decode(e.GetMethod(), e.GetPayload())
	if err != nil {
		return nil, err
	}
	if m, err = confined(from, m); err != nil {
		return nil, err
	}
	c := proto.CloneOf(e)
	if c.DedupeId != "" { // an answer that another was given is not to be had by guessing
		c.DedupeId = "client:" + from.Name + "/" + c.DedupeId
	}
	c.Payload, err = proto.Marshal(m)
	return c, err
}

// confined is m, held to what a client's certificate confines it to.
func confined(from peer.Identity, m proto.Message) (proto.Message, error) {
	switch {
	case !messages.Public(m):
		return nil, fmt.Errorf("%s is not for clients to send: %w", nameOf(m), messages.Denied)
	case from.Reader && !messages.IsQuery(m):
		return nil, fmt.Errorf("the certificate of %s lets it look, and not %s: %w", from.Name, nameOf(m), messages.Denied)
	case from.Project == "":
		return m, nil
	case messages.AudienceOf(m.ProtoReflect().Descriptor().FullName()) != messages.Everybody:
		return nil, fmt.Errorf("the certificate of %s is of a project, and only operators may ask %s: %w", from.Name, nameOf(m), messages.Denied)
	}
	return m, messages.Confine(m, from.Project, "client:"+from.Name)
}

// frontCall answers what is asked of the cloud as a whole.
func (n *Node) frontCall(e *messages.Envelope, answer func(*messages.Reply)) {
	m, err := decode(e.GetMethod(), e.GetPayload())
	if err != nil {
		n.say(answer, nil, err)
		return
	}
	if _, ok := m.(*messages.GetMembers); ok {
		n.say(answer, n.members(), nil)
		return
	}
	f := n.front.Load()
	switch {
	case f == nil:
		n.say(answer, nil, errNotYet)
		return
	case n.fronted.Add(1) > maxFronted:
		n.fronted.Add(-1)
		n.say(answer, nil, errBusy)
		return
	}
	timeout := DefaultDeadline
	if ms := e.GetTimeoutMs(); ms > 0 {
		timeout = time.Duration(ms) * time.Millisecond
	}
	n.busy.Add(1)
	go func() {
		defer n.rest()
		defer n.fronted.Add(-1)
		ctx, cancel := context.WithTimeout(WithRequest(n.ctx, e.GetRequestId()), timeout)
		defer cancel()
		got, err := n.answered(ctx, *f, m)
		n.say(answer, got, err)
	}()
}

// answered has f answer. A panic in it is an error, and only the asker's.
func (n *Node) answered(ctx context.Context, f Front, m proto.Message) (got proto.Message, err error) {
	defer func() {
		if p := recover(); p != nil {
			n.panics.Add(1)
			n.log.Error().Str("message", nameOf(m)).Str("request", RequestID(ctx)).Any("panic", p).Bytes("stack", stack()).
				Msg("an answer to a client panicked")
			err = fmt.Errorf("this node broke down over %s: %w", nameOf(m), messages.Internal)
		}
	}()
	return f.Answer(ctx, m)
}

// members are the nodes of the cloud, for clients who may want to ask another.
func (n *Node) members() *messages.MembersView {
	v := &messages.MembersView{}
	if n.net == nil {
		return v
	}
	r := n.routing.Load()
	v.ViewIndex = r.view.Index
	for _, m := range r.view.Members {
		v.Members = append(v.Members, &messages.Member{
			Id: m.ID, Name: m.Name, Address: m.Address, Api: m.API, Roles: uint32(m.Roles), Leaving: m.Leaving, Version: m.Version,
		})
	}
	return v
}
