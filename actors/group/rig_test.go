package group

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// rig holds one group; what it asks is kept until somebody answers.
type rig struct {
	t     *testing.T
	s     State
	now   time.Time
	asked []actors.Ask
	view  *messages.GroupView
}

func newRig(t *testing.T) *rig { return &rig{t: t, now: start} }

func (b *rig) try(m proto.Message) error {
	s, effects, err := Step(b.s, actors.Input{ID: groupID, Now: b.now, Message: m})
	if err != nil {
		return err
	}
	b.s = s
	for _, e := range effects {
		switch e := e.(type) {
		case actors.Ask:
			b.asked = append(b.asked, e)
		case actors.Reply:
			b.view, _ = e.Message.(*messages.GroupView)
		}
	}
	return nil
}

func (b *rig) say(m proto.Message) {
	b.t.Helper()
	if err := b.try(m); err != nil {
		b.t.Fatalf("%T: %v", m, err)
	}
}

// answer says what came back for one question.
func (b *rig) answer(e actors.Ask, m proto.Message, err error) {
	b.t.Helper()
	b.say(answerOf(e, m, err))
}

func answerOf(e actors.Ask, m proto.Message, err error) *messages.Answered {
	r := &messages.Reply{Error: messages.KindOf(err)}
	if err != nil {
		r.Message = messages.Sentence(err)
	} else {
		raw, _ := proto.Marshal(m)
		r.Method, r.Payload = messages.NameOf(m), raw
	}
	return &messages.Answered{Kind: e.To.Kind, Id: e.To.ID, Asked: messages.NameOf(e.Message), Reply: r}
}

// member is the view of an instance.
func member(id, host string, vm messages.VMState) *messages.InstanceView {
	return &messages.InstanceView{Id: id, VmState: vm, Host: host, Fault: &messages.Fault{Message: "no luck"}, Ports: []*messages.Port{{Address: "10.0.0." + host}}}
}

const (
	active   = messages.VMState_VM_STATE_ACTIVE
	stopped  = messages.VMState_VM_STATE_STOPPED
	building = messages.VMState_VM_STATE_BUILDING
	failed   = messages.VMState_VM_STATE_ERROR
)

// serve answers all that is asked: creates become instances that run, except those
// of image "bad", which go to ERROR; deletes are done at once.
func (b *rig) serve() {
	b.t.Helper()
	b.serveAll(func(actors.Ask) bool { return false })
}

// serveAll is serve without some questions, which nobody answers.
func (b *rig) serveAll(but func(actors.Ask) bool) {
	b.t.Helper()
	for n := 0; len(b.asked) > 0; n++ {
		if n > 1000 {
			b.t.Fatal("it asks for ever")
		}
		e := b.asked[0]
		b.asked = b.asked[1:]
		if but(e) {
			continue
		}
		switch m := e.Message.(type) {
		case *messages.CreateInstance:
			vm := active
			if m.Image.Id == "bad" {
				vm = failed
			}
			b.answer(e, member(m.Id, "1", vm), nil)
		case *messages.ActOnInstance:
			b.answer(e, nil, messages.NotFound)
		case *messages.GetInstance:
			if m, ok := b.s.Members.Get(e.To.ID); ok && m.Confirmed && m.Phase != Leaving {
				b.answer(e, member(e.To.ID, m.Host, m.VM), nil)
			}
		case *messages.GetHost:
			b.answer(e, &messages.HostView{Facts: &messages.HostFacts{Up: true}}, nil)
		}
	}
}

// pass lets time go by, in looks.
func (b *rig) pass(d time.Duration) {
	b.t.Helper()
	for end := b.now.Add(d); b.now.Before(end); b.now = b.now.Add(brisk) {
		b.say(&messages.Woken{})
		b.serve()
	}
}

func (b *rig) status() string {
	by := map[string]int{}
	for _, m := range b.s.members() {
		by[fmt.Sprintf("%v/%d", m.Phase, m.Revision)]++
	}
	return fmt.Sprint(b.s.status(), " ", by)
}

func (b *rig) want(what, status string) {
	b.t.Helper()
	if got := b.status(); got != status {
		b.t.Errorf("%s: %s, want %s (%v)", what, got, status, b.s.Decisions)
	}
}

func grown(t *testing.T, desired int32, p *messages.GroupPolicy) *rig {
	b := newRig(t)
	b.say(creation(desired, p))
	b.serve()
	b.want("built up", fmt.Sprintf("settled map[in-use/1:%d]", desired))
	return b
}

func (b *rig) first() (string, Member) {
	m := b.s.members()[0]
	return m.id, m.Member
}
