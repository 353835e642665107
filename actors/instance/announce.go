package instance

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-cloud/troupe/actors"
	"github.com/troupe-cloud/troupe/actors/machine"
	"github.com/troupe-cloud/troupe/actors/service"
	"github.com/troupe-cloud/troupe/messages"
)

// RetryRefused is after which time an instance asks a service again that has refused
// it: somebody may have admitted its project meanwhile.
const RetryRefused = time.Minute

// Said is what a service was told of the instance, the newest word.
type Said struct {
	Service   string
	Seq       uint64
	Endpoints []*messages.Endpoint `json:",omitempty"` // none: it serves there no more
	Heard     bool                 `json:",omitempty"` // the service has committed it, or a refusal
	Refused   string               `json:",omitempty"` // why it is not listed
	Again     int64                `json:",omitempty"` // when it asks again, Unix nanoseconds
}

// listed: the service lists the instance, or may.
func (d Said) listed() bool { return len(d.Endpoints) > 0 && d.Refused == "" }

// serving: the machine runs where it can be reached, and nobody is about to change
// that; or somebody is, and those who use it are given time to leave.
func (s State) serving() bool {
	v := s.View
	return v != nil && !s.Hidden && v.VmState == active && v.PowerState == messages.PowerState_POWER_STATE_RUNNING &&
		!s.HostDown && (v.TaskState == idle || s.Drain != nil)
}

// announcement is what services should list of the instance, by service. It follows
// from the state alone.
func announcement(s State) []Said {
	if !s.serving() || !machine.Any(s.View.Metadata, s.View.Tags) {
		return nil
	}
	wishes, err := machine.Parse(s.View.Metadata, s.View.Tags)
	i := slices.IndexFunc(s.View.Ports, func(p *messages.Port) bool {
		return p.Address != "" && (wishes.Network == "" || wishes.Network == p.NetworkId || wishes.Network == p.NetworkName)
	})
	if err != nil || i < 0 {
		return nil
	}
	all := make([]Said, 0, len(wishes.Services))
	for _, w := range wishes.Services {
		d := Said{Service: w.ID}
		for _, port := range w.Ports {
			e := &messages.Endpoint{
				Ip: s.View.Ports[i].Address, Port: port, Cluster: w.Cluster, Weight: w.Weight, Enabled: true, Healthy: true,
				Dialect: "troupe", Check: w.Check,
				Metadata: map[string]string{machine.EndpointInstance: s.View.Id, machine.EndpointZone: s.View.AvailabilityZone},
			}
			if s.Drain != nil {
				e.Weight = 0
			}
			d.Endpoints = append(d.Endpoints, e)
		}
		all = append(all, d)
	}
	return all
}

// speak tells services what has changed since they were told last. What they have not
// confirmed stands in the state, and is told again with the rest of what is
// outstanding.
func speak(s State, effects []actors.Effect) (State, []actors.Effect) {
	want := announcement(s)
	if len(want) == 0 && len(s.Said) == 0 {
		return s, effects
	}
	said, from := make([]Said, 0, len(want)+len(s.Said)), s.Words
	for _, old := range s.Said {
		i := slices.IndexFunc(want, func(d Said) bool { return d.Service == old.Service })
		switch {
		case i >= 0 && sameEndpoints(want[i].Endpoints, old.Endpoints), i < 0 && len(old.Endpoints) == 0,
			i >= 0 && old.Refused != "" && s.Drain != nil: // nobody is sent there anyway
			said = append(said, old)
		case i >= 0 || old.listed():
			s.Words++
			next := Said{Service: old.Service, Seq: s.Words}
			if i >= 0 {
				next.Endpoints = want[i].Endpoints
			}
			said = append(said, next)
		} // else it was refused, and wants no more: the refusal stands there
	}
	for _, d := range want {
		if !slices.ContainsFunc(s.Said, func(o Said) bool { return o.Service == d.Service }) {
			s.Words++
			d.Seq = s.Words
			said = append(said, d)
		}
	}
	if s.Words == from && len(said) == len(s.Said) {
		return s, effects
	}
	if s.Said = said; len(said) == 0 {
		s.Said = nil
	}
	for _, d := range said {
		if d.Seq > from {
			effects = append(effects, tellService(s, d))
		}
	}
	if s.wantsFollow() {
		effects = append(effects, followHost(s))
	}
	return s, effects
}

func sameEndpoints(a, b []*messages.Endpoint) bool {
	return slices.EqualFunc(a, b, func(a, b *messages.Endpoint) bool { return proto.Equal(a, b) })
}

func tellService(s State, d Said) actors.Effect {
	return actors.Tell{To: actors.Ref{Kind: service.Kind, ID: d.Service}, Message: &messages.AnnounceEndpoint{
		InstanceId: s.View.Id, ProjectId: s.View.ProjectId, Seq: d.Seq, Endpoints: d.Endpoints,
	}}
}

func followHost(s State) actors.Effect {
	return tell(s.View.Host, &messages.FollowHost{InstanceId: s.View.Id})
}

// wantsFollow: services list it, or would but for its host, which was down when it last
// reported; and that host is not known to say when it goes down and is back.
func (s State) wantsFollow() bool {
	return s.View.TaskState == idle && s.View.Host != "" && s.Followed != s.View.Host &&
		(slices.ContainsFunc(s.Said, Said.listed) || s.HostDown && s.couldServe())
}

// couldServe: but for its host, services should list it.
func (s State) couldServe() bool {
	s.HostDown = false
	return s.serving() && machine.Any(s.View.Metadata, s.View.Tags)
}

// unheard: a service has not confirmed yet what it was told.
func (s State) unheard() bool {
	return slices.ContainsFunc(s.Said, func(d Said) bool { return !d.Heard })
}

// words are all that is to be told again.
func words(s State) []actors.Effect {
	var effects []actors.Effect
	for _, d := range s.Said {
		if !d.Heard {
			effects = append(effects, tellService(s, d))
		}
	}
	if s.wantsFollow() {
		effects = append(effects, followHost(s))
	}
	return effects
}

// heard takes a service's word: what was said is so, or is refused; or it was so, and
// stands no more, for others have that name now.
func heard(s State, now time.Time, m *messages.EndpointAnnounced) (State, []actors.Effect, error) {
	i := slices.IndexFunc(s.Said, func(d Said) bool { return d.Service == m.Service })
	switch {
	case i < 0 && m.Refused != "":
		// It is told so until it says something: that it is not there is enough.
		s.Words++
		return s, []actors.Effect{tellService(s, Said{Service: m.Service, Seq: s.Words})}, nil
	case i < 0 || s.Said[i].Seq != m.Seq || s.Said[i].Heard && m.Refused == "":
		return s, nil, nil
	}
	s.Said = slices.Clone(s.Said)
	switch d := &s.Said[i]; {
	case d.Heard && d.Refused == "": // it was so, and is no more: what is so now?
		s.Words++
		*d = Said{Service: d.Service, Seq: s.Words, Endpoints: d.Endpoints}
		return s, []actors.Effect{tellService(s, *d)}, nil
	case d.Heard:
		return s, nil, nil
	case len(d.Endpoints) == 0:
		if s.Said = slices.Delete(s.Said, i, i+1); len(s.Said) == 0 {
			s.Said = nil
		}
		return s, outstanding(s), nil // its addresses may be given back now
	case m.Refused != "":
		d.Heard, d.Refused, d.Again = true, m.Refused, now.Add(RetryRefused).UnixNano()
		s = s.noteRefusal(now, *d)
	default:
		d.Heard = true
	}
	return s.drainHeard(now)
}

// retry asks services again that have refused the instance.
func (s State) retry(now time.Time) (State, []actors.Effect) {
	due := func(d Said) bool { return d.Again != 0 && d.Again <= now.UnixNano() }
	if !slices.ContainsFunc(s.Said, due) {
		return s, nil
	}
	var effects []actors.Effect
	s.Said = slices.Clone(s.Said)
	for i, d := range s.Said {
		if due(d) {
			s.Words++
			s.Said[i] = Said{Service: d.Service, Seq: s.Words, Endpoints: d.Endpoints}
			effects = append(effects, tellService(s, s.Said[i]))
		}
	}
	return s, effects
}

// noteRefusal records that a service has refused the instance, unless that is what
// the history says last.
func (s State) noteRefusal(now time.Time, d Said) State {
	why := d.Service + ": " + d.Refused
	if a := s.newest(); a != nil && a.Action == announceAction && a.Message == why {
		return s
	}
	if s.View.TaskState != idle {
		return s // the newest entry is an action's that has nothing to do with it
	}
	return s.record(&messages.ActionRecord{
		Action: announceAction, StartedAt: now.UnixNano(), UpdatedAt: now.UnixNano(), FinishedAt: now.UnixNano(),
		ProjectId: s.View.ProjectId, Message: why,
		Events: []*messages.ActionEvent{{
			Event: announceAction, StartedAt: now.UnixNano(), FinishedAt: now.UnixNano(), Result: "Error", Details: why,
		}},
	})
}

const announceAction = "announce"

// noteWishes says in the history of an action that made the machine run what is wrong
// with what its metadata ask for: it runs all the same.
func (s State) noteWishes(now time.Time) State {
	if _, err := machine.Parse(s.View.Metadata, s.View.Tags); err != nil {
		text, _, _ := strings.Cut(messages.Sentence(err), "\n")
		return s.event(now, announceAction).eventFailed(now, text)
	}
	return s
}
