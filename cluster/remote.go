package cluster

import (
	"errors"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/cluster/peer"
	"github.com/troupe-cloud/troupe/cluster/view"
	"github.com/troupe-cloud/troupe/messages"
)

// maxHops is how many members may pass a message on before it is given up.
const maxHops = 2

// deliver brings c to its grain: here, on another node, or as soon as this node
// may activate it. An error means that c was not, and will not be, answered.
func (n *Node) deliver(c *call) error {
	if n.net == nil {
		return n.lookup.post(c)
	}
	r := n.routing.Load()
	switch err := n.lookup.post(c); err {
	case errElsewhere:
		return n.passOn(c)
	case errSettling:
		return n.held.keep(c, r)
	default:
		return err
	}
}

// deliverHere is deliver for what must not leave this node.
func (n *Node) deliverHere(c *call) error {
	if n.net == nil {
		return n.lookup.post(c)
	}
	r := n.routing.Load()
	if !r.mine(c.to) {
		return errElsewhere
	}
	return n.deliver(c)
}

// redeliver sends what nobody waits for to where its grain is now.
func (n *Node) redeliver(c *call) {
	if c.hops++; c.message == nil || c.hops > maxHops {
		return
	}
	_ = n.deliver(c) // lost is lost: whoever relies on it says it again
}

// passOn sends c to another node.
func (n *Node) passOn(c *call) error {
	r := n.routing.Load()
	to, ok := r.owner(c.to)
	switch {
	case c.message == nil: // it was only to be in memory here
		return errElsewhere
	case !ok || to.ID == r.self:
		return errNoOwner
	case c.hops > maxHops:
		return errLost
	}
	e, err := c.envelope()
	if err != nil {
		return err
	}
	if !c.deadline.IsZero() {
		e.TimeoutMs = max(time.Until(c.deadline).Milliseconds(), 1)
	}
	if c.answer == nil {
		n.send(r, to, e, func(*messages.Reply, error) {})
		return nil
	}
	n.busy.Add(1)
	n.send(r, to, e, func(reply *messages.Reply, err error) {
		defer n.rest()
		if err != nil {
			c.reply(nil, err)
			return
		}
		c.reply(heard(reply))
	})
	return nil
}

// send has an Envelope brought to a member; one that cannot be reached directly
// is tried through another.
func (n *Node) send(r *routing, to view.Member, e *messages.Envelope, done func(*messages.Reply, error)) {
	n.net.Send(to, e, func(reply *messages.Reply, err error) {
		if e.GetHops()+1 <= maxHops && isolated(err) {
			if third, ok := r.third(to); ok {
				n.net.Send(third, onward(e), done)
				return
			}
		}
		done(reply, err)
	})
}

// isolated says whether somebody else may reach a member that this one does not:
// where nobody listens, nobody will.
func isolated(err error) bool {
	return errors.Is(err, peer.ErrUnreachable) && !errors.Is(err, peer.ErrRefused) && !errors.Is(err, peer.ErrNotMe)
}

// third is any member but this one and the one that cannot be reached.
func (r *routing) third(not view.Member) (view.Member, bool) {
	members := r.view.Members
	if len(members) == 0 {
		return not, false
	}
	for i, at := 0, rand.IntN(len(members)); i < len(members); i++ {
		if m := members[(at+i)%len(members)]; m.ID != r.self && m.ID != not.ID {
			return m, true
		}
	}
	return not, false
}

// onward is e as the next member gets it.
func onward(e *messages.Envelope) *messages.Envelope {
	return &messages.Envelope{
		Kind: e.GetKind(), Id: e.GetId(), Method: e.GetMethod(), RequestId: e.GetRequestId(),
		DeadlineUnixMs: e.GetDeadlineUnixMs(), TimeoutMs: e.GetTimeoutMs(), Trace: e.GetTrace(),
		Payload: e.GetPayload(), Tell: e.GetTell(), DedupeId: e.GetDedupeId(), Hops: e.GetHops() + 1,
		Suspect: true, // it may have been on its way for long, and its sender tired of waiting
	}
}

// Call takes what a member or a client sends; see Shell.
func (n *Node) Call(from peer.Identity, e *messages.Envelope, answer func(*messages.Reply)) {
	ref := actors.Ref{Kind: e.GetKind(), ID: e.GetId()}
	r := n.routing.Load()
	e, err := vetted(from, e)
	switch {
	case err != nil:
		n.say(answer, nil, err)
	case n.stopping.Load():
		n.say(answer, nil, errStopping)
	case ref.Kind == cloudKind:
		n.frontCall(e, answer)
	case ref.Kind == view.NodeKind && ref.ID == n.config.Name:
		n.nodeCall(from, e, answer)
	case !r.mine(ref):
		n.relay(r, ref, e, answer)
	default:
		n.receive(e, answer)
	}
}

// receive takes what is for a grain of this node.
func (n *Node) receive(e *messages.Envelope, answer func(*messages.Reply)) {
	c, err := fromEnvelope(e)
	if err == nil {
		if c.hops = e.GetHops() + 1; answer != nil {
			c.answer = func(m proto.Message, err error) { n.say(answer, m, err) }
		}
		err = n.deliver(c)
	}
	if err != nil {
		n.say(answer, nil, err)
	}
}

// relay passes on what is for another node.
func (n *Node) relay(r *routing, ref actors.Ref, e *messages.Envelope, answer func(*messages.Reply)) {
	to, ok := r.owner(ref)
	switch {
	case !ok || to.ID == r.self:
		n.say(answer, nil, errNoOwner)
		return
	case e.GetHops()+1 > maxHops:
		n.say(answer, nil, errLost)
		return
	}
	if answer == nil {
		n.send(r, to, onward(e), func(*messages.Reply, error) {})
		return
	}
	n.busy.Add(1)
	n.send(r, to, onward(e), func(reply *messages.Reply, err error) {
		defer n.rest()
		if err != nil {
			n.say(answer, nil, err)
			return
		}
		answer(reply)
	})
}

// say answers what came from another process, if it wants to know.
func (n *Node) say(answer func(*messages.Reply), m proto.Message, err error) {
	if answer == nil {
		return
	}
	reply := toReply(m, err)
	if again(err) || errors.Is(err, errStopping) {
		reply.Moved, reply.Maybe = true, maybe(err)
		if r := n.routing.Load(); r != nil {
			reply.ViewIndex = r.view.Index
		}
	}
	answer(reply)
}

// heard is what a reply from another process says.
func heard(r *messages.Reply) (proto.Message, error) {
	if r.GetMoved() {
		return nil, &movedError{why: r.GetMessage(), index: r.GetViewIndex(), maybe: r.GetMaybe()}
	}
	return fromReply(r)
}
