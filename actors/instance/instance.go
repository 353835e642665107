// Package instance decides what one virtual machine should become and in which
// steps. It owns the machine's life cycle, its history and what it holds of the
// project's quota, the networks and a host. It does not know a hypervisor: it
// orders from a host, and believes only what the host reports.
package instance

import (
	"bytes"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Kind is the kind's name; the identity is the instance's UUID.
const Kind = "instance"

// State is one virtual machine. A nil View: it never was. What is as it is in most is
// left out of what is stored.
type State struct {
	View     *messages.InstanceView // where it rests, and the task
	Doing    messages.Action        // the action behind the task
	Networks []Network              `json:",omitempty"` // what it holds of the networks, or wants

	Order   uint64             `json:",omitempty"` // number of the latest order; facts about older ones are stale
	Ordered messages.OrderKind `json:",omitempty"` // the latest order's kind
	Fact    Fact               `json:",omitzero"`  // the newest fact taken

	Attempt  int32           // of placing it, from 1
	Tried    []string        `json:",omitempty"` // hosts that failed it
	Clearing bool            `json:",omitempty"` // the host must confirm that a failed build left nothing
	Failed   *messages.Fault `json:",omitempty"`

	QuotaHeld bool `json:",omitempty"` // the project may count a share for it
	Hidden    bool `json:",omitempty"` // refused before anybody saw it

	ZoneAsked     string `json:",omitempty"`
	HostAsked     string `json:",omitempty"`
	AdminPassword string `json:",omitempty"`
	Actions       uint32 // how many the history has had

	Evac    *Evacuation `json:",omitempty"` // under way
	Left    []Leftover  `json:",omitempty"` // what hosts that it has left have still to take
	Answers uint32      `json:",omitempty"` // to hosts that had found it; a commit behind each

	Said     []Said `json:",omitempty"` // what services were told of it
	Words    uint64 `json:",omitempty"` // how many there were, to all of them
	Drain    *Drain `json:",omitempty"` // under way: the latest order waits for its end
	HostDown bool   `json:",omitempty"` // as its host has reported
	Followed string `json:",omitempty"` // the host that has said that it will

	// Choice is the host that the scheduler has chosen while addresses are still to
	// come: it is committed together with them. If it is lost, it is asked for again.
	Choice *Choice `json:"-"`

	// Action is the newest entry of the history. It stands here, for each of its steps,
	// and its end, is a commit that writes the state anyway, and comes to its row when
	// the next one begins.
	Action *messages.ActionRecord `json:",omitempty"`

	Moves actors.Table[*messages.Migration] `json:"-"`

	History actors.Table[*messages.ActionRecord] `json:"-"`
	Papers  actors.Table[[]byte]                 `json:"-"` // what is large and seldom changes
	Why     actors.Table[paper]                  `json:"-"` // the newest decision; an older node has it among the papers
}

// paper is a row that is stored as it is.
type paper []byte

// RowBytes is actors.Binary's.
func (p paper) RowBytes() []byte { return p }

// ReadRow is actors.BinaryReader's.
func (p *paper) ReadRow(raw []byte) error {
	*p = bytes.Clone(raw)
	return nil
}

// Choice is an answer of the scheduler, and when it came.
type Choice struct {
	*messages.HostChosen
	At time.Time
}

// Network is what the instance wants of one network, and what it got.
type Network struct {
	ID       string
	Requests []*messages.NetworkRequest
	Held     bool `json:",omitempty"` // the network may count ports for it
	Got      bool `json:",omitempty"` // they are in the view
}

// Fact numbers what a host reports: by order, then by the host's count.
type Fact struct{ Order, Seq uint64 }

func (f Fact) before(o Fact) bool {
	return f.Order < o.Order || (f.Order == o.Order && f.Seq < o.Seq)
}

// Rows of State.Papers and State.Why.
const (
	userData = "user_data"
	decision = "decision"
)

// Spec is the kind.
func Spec() actors.Kind {
	return actors.Spec[State]{
		Name: Kind, Step: stepMember, Reads: reads, Makes: makes, Outstanding: outstanding, Busy: busy, Wake: wake, Index: index, RowIndex: rowIndex,
		Tables: func(s *State) map[string]actors.Rows {
			return map[string]actors.Rows{"history": &s.History, "papers": &s.Papers, moves: &s.Moves, "why": &s.Why}
		},
		Table: func(s *State, name string) actors.Rows {
			switch name {
			case "history":
				return &s.History
			case "papers":
				return &s.Papers
			case "why":
				return &s.Why
			}
			return &s.Moves
		},
	}.Kind()
}

// reads: these begin work anew, and no state follows from them.
func reads(m actors.Message) bool {
	switch m.(type) {
	case *messages.Activated, *messages.Nudged:
		return true
	}
	return false
}

// makes: whoever orders a machine chooses its id, and no id is chosen twice.
func makes(m actors.Message) bool {
	_, create := m.(*messages.CreateInstance)
	return create
}

// Step decides what a message means for an instance. It is pure: an error means
// refused, and nothing has changed. Whatever it has come to, services are told.
func Step(s State, in actors.Input) (State, []actors.Effect, error) {
	next, effects, err := step(s, in)
	if err != nil || messages.IsQuery(in.Message) || reads(in.Message) {
		return next, effects, err
	}
	next, effects = speak(next, effects)
	return next, effects, nil
}

func step(s State, in actors.Input) (State, []actors.Effect, error) {
	switch m := in.Message.(type) {
	case *messages.CreateInstance:
		return create(s, in, m)
	case *messages.Activated, *messages.Nudged:
		return s, outstanding(s), nil
	case *messages.GetInstance, *messages.GetInstanceActions, *messages.GetDecision:
		return query(s, in)
	case *messages.DomainFound:
		return found(s, in, m)
	}
	if s.View == nil {
		return s, nil, missing(in.ID)
	}
	switch m := in.Message.(type) {
	case *messages.ActOnInstance:
		return act(s, in, m)
	case *messages.EvacuateInstance:
		return evacuate(s, in, m)
	case *messages.UpdateInstance:
		return update(s, in, m)
	}
	return fact(s, in)
}

// fact holds what the other actors tell an instance.
func fact(s State, in actors.Input) (State, []actors.Effect, error) {
	switch m := in.Message.(type) {
	case *messages.QuotaGranted:
		return quotaGranted(s, in.Now)
	case *messages.QuotaRefused:
		return quotaRefused(s, in.Now, m)
	case *messages.QuotaReleased:
		return quotaReleased(s, in.Now)
	case *messages.HostChosen:
		return hostChosen(s, in.Now, m)
	case *messages.NoHostFound:
		return noHostFound(s, in.Now, m)
	case *messages.PortsAllocated:
		return portsAllocated(s, in.Now, m)
	case *messages.PortsRefused:
		return portsRefused(s, in.Now, m)
	case *messages.PortsReleased:
		return portsReleased(s, in.Now, m)
	case *messages.OrderAccepted:
		return s, nil, nil // an older host says so; the report is what counts
	case *messages.OrderTaken:
		return s.dismiss(m.Host, m.Order, false), nil, nil
	case *messages.InstanceYielded:
		return yielded(s, in.Now, m)
	case *messages.OrderRefused:
		return orderRefused(s, in.Now, m)
	case *messages.DomainReported:
		return reported(s, in.Now, m)
	case *messages.EndpointAnnounced:
		return heard(s, in.Now, m)
	case *messages.Woken:
		return woken(s, in.Now)
	}
	return s, nil, fmt.Errorf("an instance cannot take %T: %w", in.Message, messages.Invalid)
}

func query(s State, in actors.Input) (State, []actors.Effect, error) {
	answer := func(m actors.Message) (State, []actors.Effect, error) {
		return s, []actors.Effect{actors.Reply{Message: m}}, nil
	}
	switch m := in.Message.(type) {
	case *messages.GetInstance:
		if !s.visible(m.Scope) {
			return s, nil, missing(in.ID)
		}
		return answer(withUserData(s))
	case *messages.GetInstanceActions:
		if s.View == nil || s.Hidden || !inScope(s, m.Scope) {
			return s, nil, missing(in.ID)
		}
		return answer(history(s))
	case *messages.GetDecision:
		if !s.visible(m.Scope) {
			return s, nil, missing(in.ID)
		}
		raw, ok := s.why()
		if !ok {
			return s, nil, fmt.Errorf("instance %s has not been scheduled yet: %w", in.ID, messages.NotFound)
		}
		d := &messages.Decision{}
		if err := proto.Unmarshal(raw, d); err != nil {
			return s, nil, fmt.Errorf("the decision about instance %s cannot be read: %w", in.ID, err)
		}
		return answer(d)
	}
	return s, nil, fmt.Errorf("an instance cannot answer %T: %w", in.Message, messages.Invalid)
}

// why is the newest decision of the scheduler.
func (s State) why() (raw []byte, ok bool) {
	if raw, ok := s.Why.Get(decision); ok {
		return raw, true
	}
	return s.Papers.Get(decision)
}

func missing(id string) error {
	return fmt.Errorf("instance %s could not be found: %w", id, messages.NotFound)
}

func inScope(s State, scope string) bool { return scope == "" || scope == s.View.ProjectId }

// visible: it exists, was admitted, is not deleted, and the caller may see it.
func (s State) visible(scope string) bool {
	return s.View != nil && !s.Hidden && inScope(s, scope) &&
		s.View.VmState != deleted && s.View.TaskState != admitting
}

// withUserData is the view with what only its owner and the machine may read.
func withUserData(s State) *messages.InstanceView {
	data, ok := s.Papers.Get(userData)
	if !ok {
		return s.View
	}
	v := s.View.Copy()
	v.UserData = data
	return v
}

// full is the view with everything that the machine is told once, on its config
// drive. The password is in no answer to a query.
func full(s State) *messages.InstanceView {
	v := withUserData(s)
	if s.AdminPassword != "" {
		v = v.Copy()
		v.AdminPassword = s.AdminPassword
	}
	return v
}

// edit is s with a changed copy of its view. What a field points to is shared
// with the view before: change sets fields, and nothing below them.
func (s State) edit(now time.Time, change func(*messages.InstanceView)) State {
	v := s.View.Copy()
	v.UpdatedAt = now.UnixNano()
	change(v)
	s.View = v
	return s
}

// index lists the instance in its project, newest first.
func index(s State) []actors.Entry {
	if s.View == nil || !s.visible("") {
		return nil
	}
	return []actors.Entry{{Key: IndexKey(s.View), View: s.View}}
}
