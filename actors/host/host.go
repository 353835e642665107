// Package host decides what one hypervisor should be running. It is the only
// truth about that hypervisor's free capacity: a scheduler may propose, but only
// a host can accept. It does not talk to libvirt; package drivers does.
package host

import (
	"cmp"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/messages"
)

// Kind is the kind's name; the identity is the host's name.
const Kind = "host"

// State is one hypervisor. What it has promised stands in Claims, a row for
// each instance; the sums are kept beside it. What the hypervisor is stands in
// Card, which has one row: it is large and seldom changes, the sums change with
// every order.
type State struct {
	Name      string
	VCPUs     int32 // promised
	RAMMiB    int64
	DiskGiB   int64 `json:",omitempty"`
	Instances int32
	Working   int32                            `json:",omitempty"` // claims with an order under way
	Untold    int32                            `json:",omitempty"` // other claims with a fact to find out or to tell
	Followers int32                            `json:",omitempty"` // claims whose instances hear when the host goes down
	Kept      bool                             `json:",omitempty"` // has orders or facts under way, or had a moment ago; see rest.go
	Graves    actors.Graves                    `json:",omitzero"`
	Claims    actors.Table[Claim]              `json:"-"`
	Card      actors.Table[*messages.HostView] `json:"-"`

	// Facts of the moment; they are not committed. Since when it is down is: the
	// card has it.
	Up         bool      `json:"-"`
	LostReason string    `json:"-"`
	Quiet      time.Time `json:"-"` // since when nothing has been under way; zero: not known
}

// cardRow is the key of Card's row.
const cardRow = "card"

// card is what the hypervisor is: nil before it was connected for the first time.
func (s State) card() *messages.HostView {
	c, _ := s.Card.Get(cardRow)
	return c
}

// describe is s with a changed copy of its card.
func (s State) describe(now time.Time, change func(*messages.HostView)) State {
	c := &messages.HostView{Name: s.Name, CreatedAt: now.UnixNano()}
	if old := s.card(); old != nil {
		c = proto.Clone(old).(*messages.HostView)
	}
	c.UpdatedAt = now.UnixNano()
	change(c)
	s.Card = s.Card.Set(cardRow, c)
	return s
}

// Claim is what the host has promised to one instance, and the latest order for it.
type Claim struct {
	VCPUs   int32 `json:",omitempty"`
	RAMMiB  int64 `json:",omitempty"`
	DiskGiB int64 `json:",omitempty"`

	Order   uint64
	Kind    messages.OrderKind
	Working bool                 `json:",omitempty"` // the driver has not said how it ended
	Spec    *messages.DomainSpec `json:",omitempty"` // while a build is under way
	GraceMS int64                `json:",omitempty"`

	Power     messages.PowerState `json:",omitempty"` // last reported by the driver
	Absent    bool                `json:",omitempty"` // the driver found no domain
	Seq       uint64              `json:",omitempty"` // numbers the facts about this instance
	Untold    bool                `json:",omitempty"` // a fact no order asked for waits to be taken
	Looking   bool                `json:",omitempty"` // the driver is to look what became of the domain
	Follow    bool                `json:",omitempty"` // the instance hears when the host goes down
	Stray     bool                `json:",omitempty"` // found on the hypervisor, never claimed
	Refused   uint64              `json:",omitempty"` // the newest build that was refused, for what is still here
	ErrorKind messages.ErrorKind  `json:",omitempty"` // how the latest order ended
	Error     string              `json:",omitempty"`
}

// Spec is the kind.
func Spec() actors.Kind {
	return actors.Spec[State]{
		Name: Kind, Step: Step, Outstanding: outstanding,
		Busy: State.busy,
		Keep: keep, Wake: wake,
		Index: index,
		SameIndex: func(before, after State) bool {
			return before.Name == after.Name && before.card() == after.card()
		},
		Tables: func(s *State) map[string]actors.Rows {
			return map[string]actors.Rows{"claims": &s.Claims, "card": &s.Card, "line": &s.Graves.Line, "dead": &s.Graves.Dead}
		},
		Table: func(s *State, name string) actors.Rows {
			switch name {
			case "claims":
				return &s.Claims
			case "card":
				return &s.Card
			}
			return s.Graves.Table(name)
		},
	}.Kind()
}

// Step decides what a message means for a host.
func Step(s State, in actors.Input) (State, []actors.Effect, error) {
	next, effects, err := decide(s, in)
	if err != nil {
		return s, nil, err
	}
	return next.lingers(s, in), effects, nil
}

func decide(s State, in actors.Input) (State, []actors.Effect, error) {
	s.Name = in.ID
	switch m := in.Message.(type) {
	case *messages.OrderHost:
		return published(order(s, in.Now, m))
	case *messages.DriverDone:
		return published(done(s, in.Now, m))
	case *messages.HostConnected:
		return published(connected(s, in.Now, m))
	case *messages.HostLost:
		s, effects := lost(s, in.Now, m)
		return published(s, effects, nil)
	case *messages.FollowHost:
		return follow(s, m)
	case *messages.DomainObserved:
		return observed(s, m)
	case *messages.ReportTaken:
		return factTaken(s, m)
	case *messages.DisownDomain:
		return published(disown(s, in.Now, m))
	case *messages.AdoptDomain:
		return published(adopt(s, m))
	case *messages.DomainUnknown:
		return unknown(s, m)
	case *messages.SetHost:
		return published(set(s, in.Now, m))
	case *messages.DeleteHost:
		return published(forget(s))
	case *messages.Woken:
		return rest(s, in.Now), nil, nil
	}
	return query(s, in)
}

// query holds the messages that change nothing.
func query(s State, in actors.Input) (State, []actors.Effect, error) {
	switch m := in.Message.(type) {
	case *messages.GetHost:
		if s.card() == nil {
			return s, nil, fmt.Errorf("there is no host %s: %w", in.ID, messages.NotFound)
		}
		return s, []actors.Effect{actors.Reply{Message: view(s, in.Now)}}, nil
	case *messages.GetConsole:
		if _, ok := s.Claims.Get(m.InstanceId); !ok {
			return s, nil, fmt.Errorf("instance %s is not on host %s: %w", m.InstanceId, in.ID, messages.NotFound)
		}
		return s, []actors.Effect{actors.ReadConsole{Instance: m.InstanceId, MaxBytes: m.MaxBytes}}, nil
	case *messages.Activated:
		// Nothing is known of the connection, so nothing is published or driven
		// before the node has told.
		return s, []actors.Effect{actors.Reconcile{}}, nil
	case *messages.Nudged:
		return published(s, outstanding(s), nil)
	}
	return s, nil, fmt.Errorf("a host cannot take %T: %w", in.Message, messages.Invalid)
}

// outstanding lists the orders that the driver has not answered and the facts
// that no instance has taken yet.
func outstanding(s State) []actors.Effect {
	if !s.busy() {
		return nil
	}
	var effects []actors.Effect
	for id, c := range s.Claims.All() {
		switch {
		case c.Working:
			effects = append(effects, drive(id, c))
		case c.Looking:
			effects = append(effects, look(id, c))
		case c.Untold:
			effects = append(effects, fact(s, id, c))
		}
	}
	return effects
}

func drive(id string, c Claim) actors.Effect {
	return actors.Drive{Order: &messages.OrderHost{
		InstanceId: id, Order: c.Order, Kind: c.Kind, Spec: c.Spec, GraceMs: c.GraceMS,
	}}
}

func look(id string, c Claim) actors.Effect {
	return actors.Drive{Order: &messages.OrderHost{InstanceId: id, Order: c.Order, Kind: messages.OrderKind_ORDER_KIND_LOOK}}
}

// unsettled: the claim has something to find out or to tell, beside an order.
func (c Claim) unsettled() bool { return c.Looking || c.Untold }

// fact tells the instance what the host knows without having been asked.
func fact(s State, id string, c Claim) actors.Effect {
	if c.Stray {
		return tell(id, &messages.DomainFound{InstanceId: id, Host: s.Name, Order: c.Order, Power: c.Power})
	}
	r := report(s, id, c)
	r.Ended = false
	return tell(id, r)
}

// report says how the claim's latest order ended.
func report(s State, id string, c Claim) *messages.DomainReported {
	return &messages.DomainReported{
		InstanceId: id, Host: s.Name, HypervisorHostname: s.card().GetInventory().GetHypervisorHostname(),
		Order: c.Order, Seq: c.Seq, Ended: true,
		Power: c.Power, Absent: c.Absent, ErrorKind: c.ErrorKind, Error: c.Error,
		HostDown: s.down(), Followed: c.Follow,
	}
}

func tell(instance string, m actors.Message) actors.Effect {
	return actors.Tell{To: actors.Ref{Kind: "instance", ID: instance}, Message: m}
}

// published lets queries find the facts that the step leaves behind.
func published(s State, effects []actors.Effect, err error) (State, []actors.Effect, error) {
	if err != nil {
		return s, nil, err
	}
	return s, append(effects, actors.Publish{Facts: facts(s)}), nil
}

func facts(s State) *messages.HostFacts {
	i := s.card().GetInventory()
	return &messages.HostFacts{
		Name: s.Name, AvailabilityZone: s.card().GetAvailabilityZone(), Up: s.Up, Disabled: s.card().GetDisabled(),
		ForcedDown: s.card().GetForcedDown(), Storage: i.GetStorage(),
		Vcpus: i.GetVcpus(), VcpusUsed: s.VCPUs, RamMib: i.GetRamMib(), RamMibUsed: s.RAMMiB,
		DiskGib: i.GetDiskGib(), DiskGibUsed: s.DiskGiB,
		Instances: s.Instances, Building: s.Working, Arch: i.GetArch(), HypervisorType: i.GetHypervisorType(),
	}
}

// view is the card with the facts of the moment.
func view(s State, now time.Time) *messages.HostView {
	v := proto.Clone(s.card()).(*messages.HostView)
	v.Facts, v.LostReason = facts(s), s.LostReason
	v.ReportedAt = cmp.Or(v.LostAt, v.UpdatedAt)
	if s.Up {
		v.ReportedAt = now.UnixNano()
	}
	return v
}

// index lets hosts be listed; what changes with every claim is asked of the host.
func index(s State) []actors.Entry {
	c := s.card()
	if c == nil {
		return nil
	}
	return []actors.Entry{{Key: "host/" + actors.Escape(s.Name), View: c}}
}

func set(s State, now time.Time, m *messages.SetHost) (State, []actors.Effect, error) {
	if s.card() == nil {
		return s, nil, fmt.Errorf("there is no host %s: %w", s.Name, messages.NotFound)
	}
	was := s.down()
	s = s.describe(now, func(c *messages.HostView) {
		if m.Disabled != nil {
			c.Disabled = *m.Disabled
			if !c.Disabled {
				c.DisabledReason = ""
			}
		}
		if m.DisabledReason != nil {
			c.DisabledReason = *m.DisabledReason
		}
		if m.ForcedDown != nil {
			c.ForcedDown = *m.ForcedDown
		}
	})
	s, effects := s.tellFollowers(was)
	return s, append(effects, actors.Reply{Message: view(s, now)}), nil
}
