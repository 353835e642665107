package peer

import (
	"fmt"
	"strings"

	"github.com/asynkron/protoactor-go/actor"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// Resolver lets protoactor reach the members: a PID with a member's address and
// the id "<kind>/<id>" becomes a process whose messages go through a Dialer. It
// stands in for protoactor's own remote.
type Resolver struct {
	Dialer *Dialer
	// Member finds the member at an address, in the present view.
	Member func(address string) (view.Member, bool)
	System *actor.ActorSystem
}

// Outgoing is a message that can be put into an Envelope when it has to cross.
type Outgoing interface {
	Envelope() (*messages.Envelope, error)
}

// Register makes system use r for addresses that are not its own.
func (r *Resolver) Register() { r.System.ProcessRegistry.RegisterAddressResolver(r.Resolve) }

// Resolve is an actor.AddressResolver.
func (r *Resolver) Resolve(pid *actor.PID) (actor.Process, bool) {
	if _, ok := r.Member(pid.GetAddress()); !ok {
		return nil, false
	}
	return process{r}, true
}

// process is an actor of another member, to this one's protoactor.
type process struct{ r *Resolver }

// SendUserMessage sends an Envelope, or what can be put into one. Its sender gets
// a *messages.Reply, always; without a sender it is a tell.
func (p process) SendUserMessage(pid *actor.PID, message any) {
	_, msg, sender := actor.UnwrapEnvelope(message)
	e, err := envelope(pid, msg, sender == nil)
	if err == nil {
		if to, ok := p.r.Member(pid.GetAddress()); ok {
			p.r.Dialer.Send(to, e, p.answer(sender))
			return
		}
		err = fmt.Errorf("no member is at %s: %w", pid.GetAddress(), ErrUnreachable)
	}
	if answer := p.answer(sender); answer != nil {
		answer(nil, err)
		return
	}
	p.r.Dialer.c.Log.Warn().Err(err).Str("to", pid.GetId()).Msg("message to another member dropped")
}

func (p process) answer(sender *actor.PID) func(*messages.Reply, error) {
	if sender == nil {
		return nil
	}
	return func(reply *messages.Reply, err error) {
		if err != nil {
			reply = &messages.Reply{Error: messages.KindOf(err), Message: messages.Sentence(err)}
		}
		p.r.System.Root.Send(sender, reply)
	}
}

// envelope addresses what is to be sent. It never changes what it was given.
func envelope(pid *actor.PID, msg any, tell bool) (e *messages.Envelope, err error) {
	kind, id, ok := strings.Cut(pid.GetId(), "/")
	if !ok || kind == "" || id == "" {
		return nil, fmt.Errorf("%q is not <kind>/<id>: %w", pid.GetId(), messages.Invalid)
	}
	switch m := msg.(type) {
	case *messages.Envelope:
		e = m
	case Outgoing:
		if e, err = m.Envelope(); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("a %T cannot cross to another member: %w", msg, messages.Invalid)
	}
	if e.GetKind() == kind && e.GetId() == id && e.GetTell() == tell {
		return e, nil
	}
	e = proto.CloneOf(e)
	e.Kind, e.Id, e.Tell = kind, id, tell
	return e, nil
}

// SendSystemMessage refuses: nobody watches, stops or restarts an actor of
// another process.
func (p process) SendSystemMessage(pid *actor.PID, message any) {
	p.r.Dialer.c.Log.Debug().Str("to", pid.GetId()).Type("message", message).Msg("system message to another member refused")
}

// Stop refuses, as SendSystemMessage does.
func (p process) Stop(pid *actor.PID) { p.SendSystemMessage(pid, &actor.Stop{}) }
